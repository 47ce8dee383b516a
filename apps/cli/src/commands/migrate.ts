import type { Command } from 'commander'
import { grantRoles, migrateLedger, pendingLedgerMigrations } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { openDatabaseOnly } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe migrate`. */
export function configureMigrate(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--check', 'only say what is missing; exit code 1 if anything is')
    .option('--roles', 'also make the roles ascribe_gateway, _settler, _api, _internal and _admin, and give each what it needs and no more')
    .addHelpText(
      'after',
      `
Run it as the owner of the tables. The roles have no login: make one a member, \`grant ascribe_api to api_login\`. Repeat --roles after an upgrade.

Examples:
  ascribe migrate --check
  DATABASE_URL=postgres://owner@host/ascribe ascribe migrate --roles`,
    )
    .action(async (options: { check?: true; roles?: true }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openDatabaseOnly(context, { name: 'migrate', logger: context.logger })
      const migrations =
        options.check === true ? await pendingLedgerMigrations(ledger.db) : await migrateLedger(ledger.db, { logger: context.logger })
      if (options.check === true && migrations.length > 0) finish(EXIT.failed)
      const roles = options.roles === true && options.check !== true ? await grantRoles(ledger.db) : undefined
      const names = migrations.map(({ id, name }) => `${String(id).padStart(4, '0')}-${name}`)
      if (context.out.json)
        return context.out.value({
          [options.check === true ? 'pending' : 'applied']: names,
          ...(roles !== undefined && { roles_created: roles.created }),
        })
      const word = options.check === true ? 'pending' : 'applied'
      for (const name of names) context.out.line(`${word} ${name}`)
      if (names.length === 0) context.out.line('the schema is up to date')
      if (roles !== undefined) context.out.line(`roles made: ${roles.created.join(', ') || 'none'}; granted on ${roles.tables} tables`)
    })
}
