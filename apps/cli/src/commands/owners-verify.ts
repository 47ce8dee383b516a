import type { Command } from 'commander'
import { readImpersonator } from '@ascribe/controller'
import { AscribeError, InputError } from '@ascribe/kit'
import { OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaOwnerBinding } from '@ascribe/kinds'
import { NAMESPACES } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'
import { tryLock } from '@ascribe/service'
import { authoritiesOf, cloudAccessOf, regionOf, transportOf } from '../cloud/cloud-access.ts'
import type { CloudAccess } from '../cloud/cloud-access.ts'
import type { CloudSettings } from '../cloud-settings.ts'
import { controllerCloudOf } from '../cloud/controller-cloud.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { whoAmI } from '../cloud/who-am-i.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { openKube } from '../kube/open-kube.ts'
import { writeList } from '../list-output.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'
import { stateOf } from './owners-bindings.ts'

type VerifyFlags = { readonly kubeconfig?: string; readonly region?: string; readonly allowStaging?: true }
type Verdict = {
  readonly binding: string
  readonly namespace: string
  readonly user: string
  readonly ok: boolean
  readonly detail: string
}

/** `ascribe owners verify`. */
export function addOwnersVerify(owners: Command, surroundings: Surroundings, finish: Finish): void {
  owners
    .command('verify')
    .argument('[binding]', 'one CloudSigmaOwnerBinding; without it all that there are')
    .description('mint for each bound user, and compare the profile that the cloud shows with the id that the binding pins')
    .option('--region <region>', 'where the cloud is asked (default: CLOUDSIGMA_REGION, else the first that binding and Impersonator have)')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .option('--allow-staging', 'let the authorization server be one for trials')
    .addHelpText(
      'after',
      `
Each token leaves a line in DIR/audit/mints.jsonl. An address that has gone over to somebody else since shows here: the ids differ.
The client and its secret are those of the settings, not those of an Impersonator: \`ascribe doctor\` compares the two.

Exit code 0 if every user is who the binding says, 1 if one is not.

Examples:  ascribe owners verify
           ascribe owners verify team-a-1f2e3d4c5b6a --region zrh --json`,
    )
    .action(async (name: string | undefined, flags: VerifyFlags, command: Command) => {
      const context = contextOf(command, surroundings)
      await using stack = new AsyncDisposableStack()
      const kube = await openKube(flags.kubeconfig, { env: surroundings.env, stack })
      const bindings = name === undefined ? (await kube.list(OWNER_BINDINGS)).items : [await kube.get(OWNER_BINDINGS, { name })]
      const verdicts: Verdict[] = []
      for (const binding of bindings) verdicts.push(await verify(context, { kube, binding, flags, by: operatorOf(surroundings) }))
      await writeList(context.out, verdicts, {
        columns: [{ title: 'binding' }, { title: 'namespace' }, { title: 'user' }, { title: '' }],
        row: ({ binding, namespace, user, ok, detail }) => [binding, namespace, user, `${ok ? 'verified' : 'not verified'}: ${detail}`],
        json: ({ user, ...verdict }) => ({ ...verdict, user_id: user }),
      })
      if (verdicts.some(({ ok }) => !ok)) finish(EXIT.failed)
    })
}

type Verification = {
  readonly kube: KubeClient
  readonly binding: CloudSigmaOwnerBinding
  readonly flags: VerifyFlags
  readonly by: string
}

async function verify({ config, dir, logger, out }: Context, { kube, binding, flags, by }: Verification): Promise<Verdict> {
  const { subject, namespaceRef, limits } = binding.spec
  const verdict = { binding: binding.metadata.name ?? '', namespace: namespaceRef.name, user: subject.userUUID }
  const state = stateOf(binding)
  if (state !== 'live') return { ...verdict, ok: false, detail: `the binding is ${state}: nobody is asked` }
  try {
    const access = await accessOf(kube, binding, { cloud: config.cloud, flags })
    if (typeof access === 'string') return { ...verdict, ok: false, detail: access }
    using transport = transportOf(access)
    const request = {
      owner: subject.emailAtBinding,
      region: regionFor(access, { said: flags.region, bound: limits?.regions, cloud: config.cloud }),
      expect: subject.userUUID,
      realm: config.cloud.oauth_realm,
      actor: { program: 'ascribe owners verify', operator: by, binding: verdict.binding },
    }
    const found = await out.progress(
      verdict.binding,
      whoAmI(access, request, { transport, audit: createMintLog(dir.mintLog, tryLock), logger }),
    )
    if (!found.ok) return { ...verdict, ok: false, detail: found.failure.why }
    const { uuid, state: standing } = found.account
    if (uuid !== subject.userUUID) return { ...verdict, ok: false, detail: `the cloud says that this is ${uuid}` }
    return { ...verdict, ok: true, detail: found.remarks.join('; ') || (standing ?? 'the ids are the same') }
  } catch (error) {
    if (error instanceof InputError || !(error instanceof AscribeError)) throw error
    return { ...verdict, ok: false, detail: error.message }
  }
}

type Asking = { readonly cloud: CloudSettings; readonly flags: VerifyFlags }

/** The client that the controller uses for this binding; a text: it uses none, and why. */
async function accessOf(kube: KubeClient, { spec }: CloudSigmaOwnerBinding, { cloud, flags }: Asking): Promise<CloudAccess | string> {
  const { impersonatorRef, namespaceRef } = spec
  const { metadata } = (await kube.tryGet(NAMESPACES, namespaceRef)) ?? {}
  if (metadata === undefined || metadata.uid !== namespaceRef.uid)
    return `namespace ${namespaceRef.name} is gone, or is another one of that name`
  const allowStaging = flags.allowStaging === true
  const { refuseIssuer } = controllerCloudOf(cloud, { allowStaging })
  const namespace = { name: namespaceRef.name, uid: namespaceRef.uid, labels: metadata.labels ?? {} }
  const read = await readImpersonator(kube, { name: impersonatorRef.name, namespace, refuseIssuer })
  if (read.kind === 'refused') return read.why
  if (read.kind === 'client') {
    if (!read.allows) return `CloudSigmaImpersonator ${impersonatorRef.name} does not allow namespace ${namespaceRef.name}`
    return { mode: 'impersonation', ...read.client, ca: authoritiesOf(cloud) }
  }
  const access = cloudAccessOf(cloud, { allowStaging })
  if (access.mode === 'legacy') throw new InputError('Cannot verify owners in the legacy mode: nobody is impersonated')
  return access
}

type Regions = { readonly said: string | undefined; readonly bound: readonly string[] | undefined; readonly cloud: CloudSettings }

/** Where it is asked: as the command says, else one that the binding and the Impersonator both have. */
function regionFor(access: CloudAccess, { said, bound, cloud }: Regions): string {
  const known = access.regions.regions
  const both = (bound ?? known ?? []).filter((region) => known === undefined || known.includes(region))
  const preferred = cloud.region !== undefined && both.includes(cloud.region) ? cloud.region : both[0]
  return regionOf(access, said ?? preferred, cloud)
}
