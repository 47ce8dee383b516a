import type { Command } from 'commander'
import { migrateLedger, pendingLedgerMigrations } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { openDatabaseOnly } from '../open-ledger.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe migrate`. */
export function configureMigrate(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--check', 'only say what is missing; exit code 1 if anything is')
    .action(async (options: { check?: true }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openDatabaseOnly(context, { name: 'migrate', logger: context.logger })
      const migrations =
        options.check === true ? await pendingLedgerMigrations(ledger.db) : await migrateLedger(ledger.db, { logger: context.logger })
      if (options.check === true && migrations.length > 0) finish(EXIT.failed)
      const names = migrations.map(({ id, name }) => `${String(id).padStart(4, '0')}-${name}`)
      if (context.out.json) return context.out.value({ [options.check === true ? 'pending' : 'applied']: names })
      const word = options.check === true ? 'pending' : 'applied'
      for (const name of names) context.out.line(`${word} ${name}`)
      if (names.length === 0) context.out.line('the schema is up to date')
    })
}
