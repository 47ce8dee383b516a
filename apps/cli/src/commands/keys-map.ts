import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { mapAuthId } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { DirectoryConflictError } from '../errors.ts'
import { organizationNamed } from '../find-organization.ts'
import { changeDirectory } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

type MapOptions = { authId: string; org: string; user?: string; group?: string; from?: number; to?: number; correct?: boolean }

/** `ascribe keys map`. */
export function addMap(keys: Command, surroundings: Surroundings): void {
  keys
    .command('map')
    .description('say whose usage an auth id is: one that an edge names, or one of our keys')
    .requiredOption('--auth-id <id>', 'the auth id')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option('--user <id>', 'the user')
    .option('--group <id>', 'the group of the organization')
    .option('--from <instant>', 'from when on (default: always for a new auth id, now for one that has an owner)', instantArgument)
    .option('--to <instant>', 'up to when; what held there goes on from then (default: until its next mapping)', instantArgument)
    .option('--correct', 'overrule what was said for the same instants; `ascribe directory history` still shows it')
    .addHelpText(
      'after',
      `
Examples:  ascribe keys map --auth-id tok-123 --org Acme --from 2026-11-01T00:00:00Z
           ascribe keys map --auth-id tok-123 --org Beta --from 2026-11-01 --to 2026-11-08 --correct`,
    )
    .action(async (options: MapOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { authId, user, group, from, to, correct } = options
      const { organization, outcome } = await changeDirectory(context, 'keys', async (db) => {
        const found = await organizationNamed(db, options.org)
        return {
          organization: found,
          outcome: await mapAuthId(db, {
            authId,
            organizationId: found.id,
            recordedBy: operatorOf(surroundings),
            ...(user !== undefined && { userId: user }),
            ...(group !== undefined && { groupId: group }),
            ...(from !== undefined && { from }),
            ...(to !== undefined && { to }),
            ...(correct !== undefined && { correct }),
          }),
        }
      })
      if (outcome.kind === 'unknown_organization') throw new InputError(`Cannot map ${authId}: the organization is gone`)
      if (outcome.kind === 'group_elsewhere')
        throw new DirectoryConflictError(`Cannot map ${authId}: group "${group}" is of organization ${outcome.organizationId}`)
      const start = outcome.from === 'beginning' ? 'the beginning' : formatInstant(outcome.from)
      if (outcome.kind === 'conflict') {
        throw new DirectoryConflictError(
          `Cannot map ${authId} from ${start}: it belongs to organization ${outcome.organizationId} by what was said for the same time; ` +
            'a mapping is never overwritten, and a correction has to be asked for with --correct',
        )
      }
      if (context.out.json)
        return context.out.value({
          auth_id: authId,
          organization_id: organization.id,
          outcome: outcome.kind,
          from: outcome.from === 'beginning' ? null : start,
          ...(to !== undefined && { to: formatInstant(to) }),
        })
      const until = to === undefined ? 'on' : `until ${formatInstant(to)}`
      const again = outcome.kind === 'mapped' && outcome.hours > 0 ? `; ${outcome.hours} hours of usage will be rated again` : ''
      context.out.line(`${authId} is ${organization.name}'s from ${start} ${until}${again}`)
    })
}
