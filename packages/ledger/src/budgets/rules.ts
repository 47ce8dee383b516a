import { EACH, isInForce } from '@ascribe/admission'
import type { Amount, Budget, BudgetPeriod, BudgetScope, LimitScope, RateLimit } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'

/** A budget with all that a round needs of it. */
export type BudgetRule = Budget & {
  readonly from: Instant
  readonly thresholds: readonly number[]
  readonly webhookUrl: string | undefined
  /** `user:…`: a customer set it. */
  readonly createdBy: string
  /** Since when its alerts are signed with a secret that its owner asked for. */
  readonly webhookSecretSince: Instant | undefined
  /** Whether what was used before it was made has been counted. */
  readonly counted: boolean
  readonly limits: readonly BudgetLimit[]
}

/** What the limit of a budget is from an instant on. */
export type BudgetLimit = { readonly from: Instant; readonly sequence: bigint; readonly amount: Amount }

type BudgetRow = {
  readonly budget_id: string
  readonly scope: BudgetScope
  readonly subject: string
  readonly unit: string
  readonly period: BudgetPeriod
  readonly name: string | null
  readonly thresholds: readonly number[]
  readonly webhook_url: string | null
  readonly created_by: string
  readonly secret_since: number | null
  readonly effective_from: number
  readonly effective_until: number | null
  readonly counted: boolean
}

type LimitRow = { readonly budget_id: string; readonly sequence: bigint; readonly effective_from: number; readonly amount: string }

/** The budgets that are in force at `at` or will be; of `subjects` only, those for each (`*`) among them, if they are named. */
export async function readBudgetRules(
  db: Queryable,
  at: Instant,
  { subjects }: { readonly subjects?: readonly string[] } = {},
): Promise<readonly BudgetRule[]> {
  const { rows } = await db.query<BudgetRow>(
    `select budget_id, scope, subject, unit, period, name, thresholds, webhook_url, effective_from, effective_until, counted, created_by,
       (select created_at from budget_webhook_secret w where w.budget_id = budget.budget_id and w.ends_at is null) as secret_since
     from budget where (effective_until is null or effective_until > $1::timestamptz)
       and ($2::text[] is null or subject = any($2::text[])) order by budget_id`,
    [sqlInstant(at), subjects === undefined ? null : [EACH, ...subjects]],
  )
  if (rows.length === 0) return []
  const limits = await db.query<LimitRow>(
    'select budget_id, sequence, effective_from, amount from budget_limit where budget_id = any($1::uuid[])',
    [rows.map(({ budget_id: id }) => id)],
  )
  const byBudget = Map.groupBy(limits.rows, (row) => row.budget_id)
  return rows.map((row) => ({
    id: row.budget_id,
    scope: row.scope,
    subject: row.subject,
    unit: row.unit,
    period: row.period,
    ...(row.name !== null && { name: row.name }),
    from: row.effective_from,
    ...(row.effective_until !== null && { until: row.effective_until }),
    thresholds: row.thresholds,
    webhookUrl: row.webhook_url ?? undefined,
    createdBy: row.created_by,
    webhookSecretSince: row.secret_since ?? undefined,
    counted: row.counted,
    limits: (byBudget.get(row.budget_id) ?? []).map((limit) => ({
      from: limit.effective_from,
      sequence: limit.sequence,
      amount: BigInt(limit.amount),
    })),
  }))
}

/** The limit in force at an instant: of those that began, the latest; of several from one instant on, the one that came last. */
export function limitAt({ limits }: Pick<BudgetRule, 'limits'>, at: Instant): Amount {
  let found: BudgetLimit | undefined
  for (const limit of limits) {
    if (limit.from > at) continue
    if (found === undefined || limit.from > found.from || (limit.from === found.from && limit.sequence > found.sequence)) found = limit
  }
  return found?.amount ?? 0n
}

/** Whether a budget bounds anything in `[start, end)`. */
export function isInForceWithin(budget: Budget, start: Instant, end: Instant): boolean {
  return (budget.from === undefined || budget.from < end) && (budget.until === undefined || budget.until > start)
}

/** The budget as gateways read it. */
export function budgetOf({ id, scope, subject, unit, period, name, from, until }: BudgetRule): Budget {
  return { id, scope, subject, unit, period, ...(name !== undefined && { name }), from, ...(until !== undefined && { until }) }
}

/** Whether a budget in money is among rules that are in force or will be, and in which currencies. */
export function currenciesOf(budgets: readonly Budget[], at: Instant): readonly string[] {
  const inMoney = budgets.filter((budget) => budget.unit !== 'tokens' && (isInForce(budget, at) || (budget.from ?? 0) > at))
  return [...new Set(inMoney.map(({ unit }) => unit))].toSorted()
}

type RateLimitRow = {
  readonly scope: LimitScope
  readonly subject: string
  readonly requests_per_minute: bigint | null
  readonly tokens_per_minute: bigint | null
}

/** The rate limits in force. */
export async function readRateLimitRules(db: Queryable): Promise<readonly RateLimit[]> {
  const { rows } = await db.query<RateLimitRow>(
    `select scope, subject, requests_per_minute, tokens_per_minute from rate_limit where ended_at is null
     order by scope, subject collate "C"`,
  )
  return rows.map((row) => ({
    scope: row.scope,
    subject: row.subject,
    ...(row.requests_per_minute !== null && { requestsPerMinute: Number(row.requests_per_minute) }),
    ...(row.tokens_per_minute !== null && { tokensPerMinute: Number(row.tokens_per_minute) }),
  }))
}
