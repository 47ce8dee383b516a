import type { Command } from 'commander'
import { streamResources } from '@ascribe/ledger'
import type { DirectoryResource } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { changeJson, printChanges, saveEntry } from '../directory-changes.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import type { ListShape } from '../list-output.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'
import { addEndCommand } from './users.ts'

const SHAPE: ListShape<DirectoryResource> = {
  columns: [{ title: 'id' }, { title: 'type' }, { title: 'name' }, { title: 'organization' }],
  row: ({ id, type, name, organizationId }) => [id, type ?? '', name ?? '', organizationId ?? ''],
  json: ({ id, type, name, organizationId }) => ({ id, type, name, organization_id: organizationId }),
}

/** `ascribe resources add|list|end`. */
export function configureResources(resources: Command, surroundings: Surroundings): void {
  resources
    .command('add')
    .description('add a resource, such as a model deployment, or say more of one')
    .requiredOption('--id <id>', 'the resource id that records have')
    .option('--type <type>', 'what kind of thing it is')
    .option('--name <name>', 'what people call it')
    .option('--org <id>', 'whose it is, by id or name')
    .addHelpText('after', '\nExample:  ascribe resources add --id llama-70b --type deployment --org Acme')
    .action(async (options: { id: string; type?: string; name?: string; org?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const changes = await changeDirectory(context, 'resources', async (db) => {
        const { org, ...said } = options
        const fields = { ...said, ...(org !== undefined && { organization: (await organizationNamed(db, org)).id }) }
        return saveEntry(db, { section: 'resources', fields, recordedBy: operatorOf(surroundings) })
      })
      if (context.out.json) context.out.value({ id: options.id, changes: changes.map(changeJson) })
      else printChanges(context.out, changes)
    })
  resources
    .command('list')
    .description('list resources by id')
    .option('--org <id>', 'only of this organization, by id or name')
    .action(async (options: { org?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'resources', logger: context.logger })
      const filter = options.org === undefined ? {} : { organizationId: (await organizationNamed(ledger.db, options.org)).id }
      await writeList(context.out, streamResources(ledger.db, filter), SHAPE)
    })
  addEndCommand(resources, surroundings, 'resource')
}
