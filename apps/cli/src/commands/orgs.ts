import type { Command } from 'commander'
import { createOrganization, listOrganizations } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { contextOf } from '../command.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe orgs create|list`. */
export function configureOrgs(root: Command, surroundings: Surroundings): void {
  const orgs = root
  orgs
    .command('create')
    .description('make an organization')
    .requiredOption('--name <name>', 'what people call it')
    .option('--currency <code>', 'what it is billed in, for ever', 'USD')
    .addHelpText('after', '\nExample:  ascribe orgs create --name "Acme Corp"')
    .action(async (options: { name: string; currency: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const made = await changeDirectory(context, 'orgs', (db) => createOrganization(db, options))
      if (context.out.json) context.out.value({ id: made.id, name: made.name, currency: made.currency })
      else context.out.line(`${made.id}  ${made.name}`)
    })
  orgs
    .command('list')
    .description('list all organizations, oldest first')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'orgs', logger: context.logger })
      const found = await listOrganizations(ledger.db)
      if (context.out.json) {
        return context.out.value(
          found.map(({ id, name, currency, createdAt }) => ({ id, name, currency, created_at: formatInstant(createdAt) })),
        )
      }
      context.out.table(
        [{ title: 'id' }, { title: 'name' }, { title: 'currency' }, { title: 'created' }],
        found.map(({ id, name, currency, createdAt }) => [id, name, currency, formatInstant(createdAt)]),
      )
    })
}
