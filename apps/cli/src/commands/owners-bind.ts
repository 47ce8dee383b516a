import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { bindOwner } from '@ascribe/api/clusters'
import { InputError } from '@ascribe/kit'
import { DEFAULT_NAMESPACE } from '@ascribe/kinds'
import type { BindingLimits, Evidence } from '@ascribe/kinds'
import { tryLock } from '@ascribe/service'
import { formatInstant } from '@ascribe/units'
import { countArgument, instantArgument } from '../arguments.ts'
import { cloudAccessOf, regionOf, transportOf } from '../cloud/cloud-access.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { whoAmI } from '../cloud/who-am-i.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { openKube } from '../kube/open-kube.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

type BindFlags = {
  readonly kubeconfig?: string
  readonly owner: string
  readonly user?: string
  readonly region?: string
  readonly impersonator: string
  readonly reason: string
  readonly expires?: number
  readonly maxServers?: number
  readonly maxCpu?: number
  readonly maxMemory?: number
  readonly maxDrives?: number
  readonly regions?: string
  readonly allowStaging?: true
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** `ascribe owners bind`. */
export function addOwnersBind(owners: Command, surroundings: Surroundings): void {
  owners
    .command('bind')
    .argument('<namespace>', 'of the management cluster')
    .description('let machines of a namespace be made in the account of a user of the cloud, by your word')
    .requiredOption('--owner <email>', 'the user, by mail address')
    .requiredOption('--reason <text>', 'how you know that the user agrees; its digest stands in the binding')
    .option('--user <uuid>', 'the id of the user; without it the cloud is asked, by minting for the address')
    .option('--region <region>', 'where the cloud is asked (default: CLOUDSIGMA_REGION, or the only one there is)')
    .option('--impersonator <name>', 'the CloudSigmaImpersonator', 'default')
    .option('--expires <instant>', 'until when', instantArgument)
    .option('--max-servers <count>', 'most machines', countArgument)
    .option('--max-cpu <mhz>', 'most MHz of all machines', countArgument)
    .option('--max-memory <mib>', 'most MiB of all machines', countArgument)
    .option('--max-drives <count>', 'most drives', countArgument)
    .option('--regions <regions>', 'only these, with commas')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .option('--allow-staging', 'let the authorization server be one for trials')
    .addHelpText('after', HELP)
    .action(async (namespace: string, flags: BindFlags, command: Command) => {
      const context = contextOf(command, surroundings)
      await using stack = new AsyncDisposableStack()
      const kube = await openKube(flags.kubeconfig, { env: surroundings.env, stack })
      const by = operatorOf(surroundings)
      const userUUID = flags.user?.toLowerCase() ?? (await findUser(context, flags, by))
      if (!UUID.test(userUUID)) throw new InputError(`Cannot bind to ${JSON.stringify(flags.user)}: that is no id of a user`)
      const { outcome, binding } = await bindOwner(kube, {
        namespace,
        userUUID,
        email: flags.owner,
        impersonator: flags.impersonator,
        evidence: evidenceOf(flags, { by, userUUID, namespace }),
        limits: limitsOf(flags),
        ...(flags.expires !== undefined && { expiresAt: formatInstant(flags.expires) }),
        installedIn: surroundings.env['POD_NAMESPACE'] ?? DEFAULT_NAMESPACE,
      })
      const { name } = binding.metadata
      if (context.out.json) return context.out.value({ outcome, binding: name, namespace, user_id: userUUID })
      context.out.line(
        outcome === 'made'
          ? `${namespace} may act for ${flags.owner} (${userUUID}), by binding ${name}`
          : `binding ${name} says so already`,
      )
      context.out.note('`ascribe owners map` says which organization the user is of: until then, what its machines use is held aside.')
    })
}

const HELP = `
A binding is the only thing that lets the controller act for somebody: it pins the namespace, by uid, to the id of the user. It cannot be
changed but for limits and expiry; delete it to revoke. You have to be of the group ascribe:platform.

Examples:  ascribe owners bind team-a --owner ada@example.com --reason "ticket 4711" --max-servers 20
           ascribe owners bind team-a --owner ada@example.com --user 018f4d5e-7b6a-4c3d-8e9f-0a1b2c3d4e5f --reason "contract" --expires 2027-01-01`

/** Who the address is, by the cloud's own word. */
async function findUser({ config, dir, logger, out }: Context, flags: BindFlags, by: string): Promise<string> {
  const access = cloudAccessOf(config.cloud, { allowStaging: flags.allowStaging === true })
  if (access.mode === 'legacy') throw new InputError('Cannot ask the cloud who that is in the legacy mode', { hint: 'Say --user UUID.' })
  using transport = transportOf(access)
  const request = {
    owner: flags.owner,
    region: regionOf(access, flags.region, config.cloud),
    expect: undefined,
    realm: config.cloud.oauth_realm,
    actor: { program: 'ascribe owners bind', operator: by },
  }
  const found = await out.progress('asking', whoAmI(access, request, { transport, audit: createMintLog(dir.mintLog, tryLock), logger }))
  if (found.ok) return found.account.uuid
  const { why, mend } = found.failure
  throw new InputError(`Cannot bind to ${flags.owner}: ${why}`, mend === undefined ? {} : { hint: mend })
}

function evidenceOf(
  { reason }: BindFlags,
  about: { readonly by: string; readonly userUUID: string; readonly namespace: string },
): Evidence {
  return {
    type: 'AdminAssertion',
    issuer: about.by,
    sub: about.userUUID,
    iat: Math.floor(Date.now() / 1000),
    hash: `sha256:${createHash('sha256')
      .update(JSON.stringify([about.namespace, about.userUUID, about.by, reason]))
      .digest('hex')}`,
  }
}

function limitsOf({ maxServers, maxCpu, maxMemory, maxDrives, regions }: BindFlags): BindingLimits {
  return {
    ...(maxServers !== undefined && { maxServers }),
    ...(maxCpu !== undefined && { maxCPU: maxCpu }),
    ...(maxMemory !== undefined && { maxMemory }),
    ...(maxDrives !== undefined && { maxDrives }),
    ...(regions !== undefined && { regions: regions.split(',').map((region) => region.trim()) }),
  }
}
