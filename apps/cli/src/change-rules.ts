import { silentMeters, systemClock } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { createSettler } from '@ascribe/settler'
import type { Context } from './context.ts'
import { openLedger } from './open-ledger.ts'

/**
 * Opens the ledger for a command that changes budgets or limits. A settler that runs tells gateways by itself; when none does, what
 * journals hold is shipped and counted here, so that gateways know of the rule, and of what was spent, before this returns.
 */
export async function changeRules<Result>(context: Context, name: string, change: (db: Database) => Promise<Result>): Promise<Result> {
  const { dir, logger } = context
  await using ledger = await openLedger(context, { name, logger, max: 4 })
  const result = await change(ledger.db)
  using lock = tryLock(dir.settlerLock)
  if (lock === undefined) return result
  const settler = createSettler({
    db: ledger.db,
    journal: dir.journal,
    policy: dir.policy,
    tryLock,
    clock: systemClock,
    logger,
    meters: silentMeters,
  })
  await context.out.progress('shipping and counting what is new', settler.pass())
  return result
}
