import { EACH, windowOf } from '@ascribe/admission'
import type { Amount, BudgetPeriod, BudgetScope } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { Accounts, heldOf, spentOf } from './accounts.ts'
import type { Writer } from './accounts.ts'
import { limitAt, readBudgetRules } from './rules.ts'
import type { BudgetRule } from './rules.ts'

/** Where one subject stands in the window that lasts. Amounts are tokens, or 10^-18 of the currency. */
export type BudgetStanding = {
  readonly subject: string
  readonly limit: Amount
  /** In the ledger. */
  readonly spent: Amount
  /** Promised to gateways and not spent yet, or not counted yet. */
  readonly reserved: Amount
  /** Limit less what was spent; below zero when requests cost more than they reserved, or the limit was lowered. */
  readonly left: Amount
}

/** A budget and where its subjects stand. */
export type BudgetState = {
  readonly id: string
  readonly scope: BudgetScope
  readonly subject: string
  readonly unit: string
  readonly period: BudgetPeriod
  readonly name?: string
  readonly from: Instant
  readonly until?: Instant
  readonly limit: Amount
  readonly thresholds: readonly number[]
  readonly webhookUrl?: string
  /** `user:…`: a customer set it, and may change it. */
  readonly createdBy: string
  /** Since when its alerts are signed with a secret that its owner asked for; absent: with that of the URL. */
  readonly webhookSecretSince?: Instant
  readonly windowStart: Instant
  /** Infinite for a prepaid one. */
  readonly windowEnd: Instant
  /** Of `*`: those that have used something, the most first. */
  readonly standings: readonly BudgetStanding[]
}

/**
 * The budgets in force or to come, and where their subjects stand, as far as the settler has counted: about a second behind. With `subjects`
 * only those of these, whatever their scope, and of those for each (`*`) only how these stand.
 */
export async function listBudgets(
  db: Queryable,
  now: Instant,
  { subjects }: { readonly subjects?: readonly string[] } = {},
): Promise<readonly BudgetState[]> {
  const rules = await readBudgetRules(db, now, subjects === undefined ? {} : { subjects })
  if (rules.length === 0) return []
  const since = rules.reduce((first, { period }) => (period === 'prepaid' ? first : Math.min(first, windowOf(period, now).start)), now)
  const { rows } = await db.query<{ writer: string }>('select writer from gateway_writer where not ended')
  const writers = new Map(rows.map(({ writer }): [string, Writer] => [writer, { live: true, ended: false }]))
  const accounts = await Accounts.read(db, writers, { since, subjects })
  return rules.map((rule) => stateOf(rule, accounts, now))
}

function stateOf(rule: BudgetRule, accounts: Accounts, now: Instant): BudgetState {
  const { id, scope, subject, unit, period, name, from, until, thresholds, webhookUrl, createdBy, webhookSecretSince } = rule
  const { start, end } = windowOf(period, now)
  const limit = limitAt(rule, now)
  const standings = [...accounts]
    .filter((account) => account.budget === id && account.start === start && account.subject !== EACH)
    .map((account): BudgetStanding => {
      const spent = spentOf(account)
      return { subject: account.subject, limit, spent, reserved: heldOf(account) - spent, left: limit - spent }
    })
  if (standings.length === 0 && subject !== EACH) standings.push({ subject, limit, spent: 0n, reserved: 0n, left: limit })
  return {
    id,
    scope,
    subject,
    unit,
    period,
    ...(name !== undefined && { name }),
    from,
    ...(until !== undefined && { until }),
    limit,
    thresholds,
    ...(webhookUrl !== undefined && { webhookUrl }),
    createdBy,
    ...(webhookSecretSince !== undefined && { webhookSecretSince }),
    windowStart: start,
    windowEnd: end,
    standings: standings.toSorted((a, b) => (a.spent > b.spent ? -1 : a.spent < b.spent ? 1 : a.subject < b.subject ? -1 : 1)),
  }
}
