import type { Command } from 'commander'
import { streamGroups } from '@ascribe/ledger'
import type { DirectoryGroup } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { changeJson, printChanges, saveEntry } from '../directory-changes.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import type { ListShape } from '../list-output.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'
import { addEndCommand } from './users.ts'

const SHAPE: ListShape<DirectoryGroup> = {
  columns: [{ title: 'id' }, { title: 'name' }, { title: 'organization' }, { title: 'members', align: 'right' }],
  row: ({ id, name, organizationId, members }) => [id, name ?? '', organizationId, String(members)],
  json: ({ id, name, organizationId, members }) => ({ id, name, organization_id: organizationId, members }),
}

/** `ascribe groups add|list|end`. */
export function configureGroups(groups: Command, surroundings: Surroundings): void {
  groups
    .command('add')
    .description('add a group of an organization, or say more of one')
    .requiredOption('--id <id>', 'the id that your platform has for the group')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option('--name <name>', 'what people call it')
    .addHelpText('after', '\nExample:  ascribe groups add --id research --org Acme --name Research')
    .action(async (options: { id: string; org: string; name?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const changes = await changeDirectory(context, 'groups', async (db) => {
        const { id, name } = options
        const organization = (await organizationNamed(db, options.org)).id
        const fields = { id, organization, ...(name !== undefined && { name }) }
        return saveEntry(db, { section: 'groups', fields, recordedBy: operatorOf(surroundings) })
      })
      if (context.out.json) context.out.value({ id: options.id, changes: changes.map(changeJson) })
      else printChanges(context.out, changes)
    })
  groups
    .command('list')
    .description('list groups by id')
    .option('--org <id>', 'only of this organization, by id or name')
    .action(async (options: { org?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'groups', logger: context.logger })
      const filter = options.org === undefined ? {} : { organizationId: (await organizationNamed(ledger.db, options.org)).id }
      await writeList(context.out, streamGroups(ledger.db, filter), SHAPE)
    })
  addEndCommand(groups, surroundings, 'group')
}
