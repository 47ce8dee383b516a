import type { Command } from 'commander'
import { DEFAULT_CLIENT_SECRET, DEFAULT_IMAGE, DEFAULT_NAMESPACE, manifests, yamlStream } from '@ascribe/kinds'
import { InputError } from '@ascribe/kit'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import { printManifests } from '../print-manifests.ts'
import type { Surroundings } from '../surroundings.ts'

type ManifestsFlags = {
  readonly namespace: string
  readonly image: string
  readonly clientSecret: string
  readonly kdcBridge?: boolean
  readonly brokerSecret?: string
  readonly env: Readonly<Record<string, string>>
}

/** `ascribe manifests`. */
export function configureManifests(root: Command, surroundings: Surroundings, _finish: Finish): void {
  root
    .option('--namespace <name>', 'where the controller is installed', DEFAULT_NAMESPACE)
    .option('--image <image>', 'an image whose entry point is ascribe', DEFAULT_IMAGE)
    .option('--client-secret <name>', 'the Secret with client-id and client-secret', DEFAULT_CLIENT_SECRET)
    .option('--kdc-bridge', 'with the rights and the flag of the bridge from KdcCluster')
    .option('--broker-secret <name>', 'a Secret with tls.crt and tls.key: the broker is served with it (default: no broker)')
    .option('--env <name=value...>', 'variables of the controller, ASCRIBE_NATS_URL for example; no secrets', variables, {})
    .addHelpText(
      'after',
      `
Namespace, definitions, admission policies, service accounts and rights, volume, Service, Deployment. YAML; with --json one List. Secrets are
not among them: make them yourself.

Examples:  ascribe manifests --image registry.example/ascribe:0.1.0 | kubectl apply --server-side -f -
           kubectl -n ascribe-system create secret generic cloudsigma-impersonation --from-file=client-id --from-file=client-secret
           ascribe manifests --kdc-bridge --env ASCRIBE_NATS_URL=nats://nats:4222`,
    )
    .action(async ({ namespace, image, clientSecret, kdcBridge = false, brokerSecret, env }: ManifestsFlags, command: Command) => {
      if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
        throw new InputError(`Cannot install into ${namespace}: that is no name of a namespace`)
      const { out } = contextOf(command, surroundings)
      await printManifests(out, {
        manifests: manifests({ namespace, image, clientSecret, kdcBridge, env, ...(brokerSecret !== undefined && { brokerSecret }) }),
        yaml: yamlStream,
      })
    })
}

function variables(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, value = ''] = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(text) ?? []
  if (name === undefined) throw new InputError(`Cannot take ${text} as a variable: write NAME=value`)
  return { ...before, [name]: value }
}
