import type { Command } from 'commander'
import { InputError, systemClock } from '@ascribe/kit'
import { createTrail, mapOwner, readOwner, streamOwners } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import { openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'
import { cliActor } from './audit-erase.ts'
import { listBindings } from './owners-bindings.ts'

type MapOptions = { readonly org: string; readonly from?: number; readonly end?: true }

/** `ascribe owners map`. */
export function addOwnersMap(owners: Command, surroundings: Surroundings): void {
  owners
    .command('map')
    .argument('<user>', 'of the cloud, by UUID')
    .description("say whose a user of the cloud is: what the user's machines use is that organization's")
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option(
      '--from <instant>',
      'from when on, until the next mapping of the user (default: the beginning for a user of whom nothing was said yet, else now)',
      instantArgument,
    )
    .option('--end', "it is the organization's no more")
    .addHelpText(
      'after',
      `
Nothing is overwritten: \`ascribe directory history owner UUID\` shows all that was ever said.

Examples:  ascribe owners map 01d730c7-5a61-4d7a-9f3c-63ed01f34ebf --org Acme --from 2026-11-01
           ascribe owners map 01d730c7-5a61-4d7a-9f3c-63ed01f34ebf --org Acme --end`,
    )
    .action(async (user: string, options: MapOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const userId = user.toLowerCase()
      await using ledger = await openLedger(context, { name: 'owners', logger: context.logger, max: 2 })
      await using trail = createTrail({ db: ledger.db, signer: auditSignerOf(context), logger: context.logger })
      const organization = await organizationNamed(ledger.db, options.org)
      const before = await readOwner(ledger.db, userId, options.from)
      if (options.end === true && before !== undefined && before.organizationId !== organization.id) {
        throw new InputError(`Cannot end the mapping of ${userId}: the user is of organization ${before.organizationId}`)
      }
      // Who loses the user reads of it too.
      const chains = new Set([organization.id, ...(before === undefined ? [] : [before.organizationId])])
      const outcome = await mapOwner(ledger.db, {
        userId,
        organizationId: options.end === true ? null : organization.id,
        ...(options.from !== undefined && { from: options.from }),
        recordedBy: operatorOf(surroundings),
        audit: async (tx, what) => {
          const detail = { change: options.end === true ? 'cloud_owner_ended' : 'cloud_owner_mapped', user: userId, outcome: what }
          const line = { kind: 'admin', at: systemClock(), actor: cliActor(surroundings), detail } as const
          return trail.appendIn(
            tx,
            [...chains].map((chain) => ({ ...line, chain })),
          )
        },
      })
      if (outcome === 'unknown_organization') throw new InputError(`Cannot map ${userId}: the organization is gone`)
      if (context.out.json) return context.out.value({ outcome, user_id: userId, organization_id: organization.id })
      const what = options.end === true ? `is no more of ${organization.name}` : `is of ${organization.name}`
      context.out.line(outcome === 'unchanged' ? `${userId} ${what} already` : `${userId} ${what}`)
    })
}

/** `ascribe owners list`. */
export function addOwnersList(owners: Command, surroundings: Surroundings): void {
  owners
    .command('list')
    .description('who is whose now; with --kubeconfig, whom namespaces of that management cluster may act for')
    .option('--org <id>', 'only of this organization, by id or name')
    .option('--kubeconfig <file>', 'the bindings of this management cluster instead')
    .action(async (options: { org?: string; kubeconfig?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      if (options.kubeconfig !== undefined) return listBindings(context.out, options.kubeconfig, surroundings)
      await using ledger = await openLedger(context, { name: 'owners', logger: context.logger, max: 2 })
      const organizationId = options.org === undefined ? null : (await organizationNamed(ledger.db, options.org)).id
      const since = (at: number): string => (at === -Infinity ? 'the beginning' : formatInstant(at))
      await writeList(context.out, streamOwners(ledger.db, { organizationId }), {
        columns: [{ title: 'user' }, { title: 'organization' }, { title: 'since' }],
        row: (owner) => [owner.userId, owner.organizationId, since(owner.since)],
        json: (owner) => ({
          user_id: owner.userId,
          organization_id: owner.organizationId,
          since: owner.since === -Infinity ? null : formatInstant(owner.since),
        }),
      })
    })
}
