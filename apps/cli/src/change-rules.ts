import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseSnapshot } from '@ascribe/admission'
import { countRuleChanges } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import type { Context } from './context.ts'
import { openLedger, settleOnce } from './open-ledger.ts'

/** Gateways look at what they are told this often: when a command returns, they know of its change. */
const LOOK_MS = 150
/** A settler that is busy, or somewhere else, is not waited for any longer: it tells gateways when it comes to it. */
const TOLD_MS = 3000
const TURN_MS = 25

/**
 * Opens the ledger for a command that changes budgets or limits. A settler that runs tells gateways by itself; when none does, what
 * journals hold is shipped and counted here, so that gateways know of the rule, and of what was spent, before this returns.
 */
export async function changeRules<Result>(context: Context, name: string, change: (db: Database) => Promise<Result>): Promise<Result> {
  const { dir, logger } = context
  await using ledger = await openLedger(context, { name, logger, max: 4 })
  const result = await change(ledger.db)
  using lock = tryLock(dir.settlerLock)
  if (lock === undefined) {
    await untilTold(context, await countRuleChanges(ledger.db))
    return result
  }
  await context.out.progress('shipping and counting what is new', settleOnce(context, ledger.db))
  return result
}

/** Waits until the snapshot of this machine's gateways holds all changes of rules up to `count`. */
async function untilTold({ dir }: Context, count: number): Promise<void> {
  const end = performance.now() + TOLD_MS
  while (rulesIn(join(dirname(dir.policy), 'admission.json')) < count && performance.now() < end) await delay(TURN_MS)
  await delay(LOOK_MS)
}

function rulesIn(path: string): number {
  try {
    return parseSnapshot(readFileSync(path, 'utf8'))?.rules ?? 0
  } catch {
    // Not there yet.
    return 0
  }
}
