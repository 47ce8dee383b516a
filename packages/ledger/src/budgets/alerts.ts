import type { Amount } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { spentOf } from './accounts.ts'
import type { AccountDraft } from './accounts.ts'
import type { BudgetRule } from './rules.ts'

/** An alert that is to be told to a webhook. Its id stays the same however often it is sent. */
export type BudgetAlert = {
  readonly id: string
  readonly budgetId: string
  readonly budgetName?: string
  readonly scope: string
  readonly subject: string
  readonly unit: string
  readonly period: string
  readonly windowStart: Instant
  /** Percent of the limit that was passed. */
  readonly threshold: number
  readonly limit: Amount
  /** In the ledger when it was passed. */
  readonly spent: Amount
  readonly createdAt: Instant
  readonly url: string
  /** Of the secrets of its own that it is signed with, the newest first; empty: with that of the URL. */
  readonly salts: readonly string[]
  /** A customer chose the URL: nothing of ours may be reached by it. */
  readonly isCustomers: boolean
  /** Attempts so far, this one included. */
  readonly attempts: number
}

/** Notes the thresholds that have been passed, once for each account and limit. For the transaction that counts. */
export async function raiseAlerts(
  tx: Queryable,
  accounts: readonly { readonly rule: BudgetRule; readonly account: AccountDraft; readonly limit: Amount }[],
): Promise<void> {
  const passed = accounts.flatMap(({ rule, account, limit }) => {
    if (rule.webhookUrl === undefined || rule.thresholds.length === 0 || limit === 0n) return []
    const spent = spentOf(account)
    return rule.thresholds
      .filter((threshold) => spent * 100n >= BigInt(threshold) * limit)
      .map((threshold) => ({
        budget_id: rule.id,
        subject: account.subject,
        window_start: sqlInstant(account.start),
        threshold,
        limit_amount: String(limit),
        spent: String(spent),
        url: rule.webhookUrl,
      }))
  })
  if (passed.length === 0) return
  await tx.query(
    `insert into budget_alert (budget_id, subject, window_start, threshold, limit_amount, spent, url)
     select budget_id, subject, window_start, threshold, limit_amount, spent, url
     from json_to_recordset($1::json) as r (budget_id uuid, subject text, window_start timestamptz, threshold integer,
       limit_amount numeric, spent numeric, url text)
     on conflict do nothing`,
    [JSON.stringify(passed)],
  )
}

type AlertRow = {
  readonly alert_id: string
  readonly budget_id: string
  readonly name: string | null
  readonly scope: string
  readonly subject: string
  readonly unit: string
  readonly period: string
  readonly window_start: number
  readonly threshold: number
  readonly limit_amount: string
  readonly spent: string
  readonly created_at: number
  readonly url: string
  readonly is_customers: boolean
  readonly salts: readonly string[] | null
  readonly attempts: number
}

/**
 * Takes alerts that are due, for `leaseMs`: whoever takes one and dies has not kept it from the next. Skips what another one has in hand.
 */
export async function takeAlerts(
  db: Queryable,
  { limit, leaseMs }: { readonly limit: number; readonly leaseMs: number },
): Promise<readonly BudgetAlert[]> {
  const { rows } = await db.query<AlertRow>(
    `with due as (
       select alert_id from budget_alert
       where delivered_at is null and given_up_at is null and next_attempt_at <= clock_timestamp()
       order by next_attempt_at limit $1::integer for update skip locked
     ), taken as (
       update budget_alert a set attempts = attempts + 1, next_attempt_at = clock_timestamp() + $2::double precision * interval '1 millisecond'
       from due where a.alert_id = due.alert_id returning a.*
     )
     select t.*, b.name, b.scope, b.unit, b.period, starts_with(b.created_by, 'user:') as is_customers, s.salts
     from taken t join budget b on b.budget_id = t.budget_id
     left join lateral (
       select array_agg(salt order by created_at desc) as salts from budget_webhook_secret w
       where w.budget_id = t.budget_id and (w.ends_at is null or w.ends_at > clock_timestamp())
     ) s on true
     order by t.created_at, t.alert_id`,
    [limit, leaseMs],
  )
  return rows.map((row) => ({
    id: row.alert_id,
    budgetId: row.budget_id,
    ...(row.name !== null && { budgetName: row.name }),
    scope: row.scope,
    subject: row.subject,
    unit: row.unit,
    period: row.period,
    windowStart: row.window_start,
    threshold: row.threshold,
    limit: BigInt(row.limit_amount),
    spent: BigInt(row.spent),
    createdAt: row.created_at,
    url: row.url,
    salts: row.salts ?? [],
    isCustomers: row.is_customers,
    attempts: row.attempts,
  }))
}

/** What became of an attempt: it arrived, it is to be repeated after `retryMs`, or nobody tries any more. */
export type AlertOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly error: string; readonly retryMs: number | undefined }

/** Notes the outcome of an attempt. */
export async function noteAlert(db: Queryable, id: string, outcome: AlertOutcome): Promise<void> {
  if (outcome.kind === 'delivered') {
    await db.query('update budget_alert set delivered_at = clock_timestamp(), last_error = null where alert_id = $1::uuid', [id])
    return
  }
  await db.query(
    `update budget_alert set last_error = $2::text,
       next_attempt_at = clock_timestamp() + coalesce($3::double precision, 0) * interval '1 millisecond',
       given_up_at = case when $3::double precision is null then clock_timestamp() end
     where alert_id = $1::uuid`,
    [id, outcome.error.slice(0, 500), outcome.retryMs ?? null],
  )
}
