import { BUDGET_PERIODS, BUDGET_SCOPES, EACH, TOKENS, windowOf } from '@ascribe/admission'
import type { Amount, BudgetPeriod, BudgetScope } from '@ascribe/admission'
import type { Database, Queryable } from '@ascribe/postgres'
import { isCurrency, isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'
import { limitAt, readBudgetRules } from './rules.ts'
import type { BudgetRule } from './rules.ts'

/** What a budget bounds: there is one at a time for each. */
export type BudgetKey = {
  readonly scope: BudgetScope
  /** Id of the organization, user, group or credential; `*`: each one that has none of its own. */
  readonly subject: string
  /** `tokens` or a currency. */
  readonly unit: string
  readonly period: BudgetPeriod
}

export type NewBudget = BudgetKey & {
  /** Tokens, or 10^-18 of the currency. */
  readonly limit: Amount
  /** What people call it. Absent: left as it is. */
  readonly name?: string
  /** Percent of the limit, 1 to 1000. Absent: left as it is. */
  readonly thresholds?: readonly number[]
  /** http or https. Absent: left as it is. */
  readonly webhookUrl?: string
  /**
   * When the limit is in force from. Default: the window that lasts, so that what was used in it counts; of a prepaid budget, and of a new
   * limit for one that is there, now.
   */
  readonly from?: Instant
  readonly by: string
  readonly note?: string
  /** Take a subject that the directory does not know (yet). Default false. */
  readonly allowUnknown?: boolean
}

export type SetBudgetOutcome =
  | { readonly kind: 'created' | 'changed' | 'unchanged'; readonly budgetId: string; readonly from: Instant }
  /** It would match nothing: nobody has such an id. */
  | { readonly kind: 'unknown_subject' }
  /** The organization is billed in another currency. */
  | { readonly kind: 'other_currency'; readonly currency: string }
  /** Another rule for the same begins later: one of the two has to give way. */
  | { readonly kind: 'overlap'; readonly budgetId: string; readonly from: Instant }

const SUBJECT_BYTES_MAX = 1024
const THRESHOLD_MAX = 1000
const THRESHOLDS_MAX = 20

/**
 * Makes a budget, or changes the limit of the one that is there from an instant on. It takes hold of what has not been leased yet at
 * once, and of the rest as gateways give it back, within seconds. @throws {LedgerInputError}
 */
export async function setBudget(db: Database, input: NewBudget, now: Instant): Promise<SetBudgetOutcome> {
  check(input)
  return db.transaction(async (tx) => {
    await lockBudgets(tx)
    const found = await findSubject(tx, input)
    if (found.kind === 'other_currency') return found
    if (found.kind === 'unknown_subject' && input.allowUnknown !== true) return { kind: 'unknown_subject' }
    const [existing] = (await readBudgetRules(tx, now)).filter((rule) => isSame(rule, input))
    if (existing !== undefined) return change(tx, existing, input, now)
    const from = input.from ?? (input.period === 'prepaid' ? now : windowOf(input.period, now).start)
    const { rows } = await tx.query<{ budget_id: string }>(
      `insert into budget (scope, subject, unit, period, name, thresholds, webhook_url, effective_from, created_by)
       values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::integer[], $7::text, $8::timestamptz, $9::text) returning budget_id`,
      [
        input.scope,
        input.subject,
        input.unit,
        input.period,
        input.name ?? null,
        [...(input.thresholds ?? [])],
        input.webhookUrl ?? null,
        sqlInstant(from),
        input.by,
      ],
    )
    const budgetId = rows[0]?.budget_id ?? ''
    await addLimit(tx, { budgetId, from, amount: input.limit, by: input.by, note: input.note })
    return { kind: 'created', budgetId, from }
  })
}

async function change(tx: Queryable, rule: BudgetRule, input: NewBudget, now: Instant): Promise<SetBudgetOutcome> {
  const from = input.from ?? now
  if (from < rule.from) return { kind: 'overlap', budgetId: rule.id, from: rule.from }
  const { rowCount } = await tx.query(
    `update budget set name = coalesce($2::text, name), thresholds = coalesce($3::integer[], thresholds), webhook_url = coalesce($4::text, webhook_url)
     where budget_id = $1::uuid and (name, thresholds, webhook_url) is distinct from
       (coalesce($2::text, name), coalesce($3::integer[], thresholds), coalesce($4::text, webhook_url))`,
    [rule.id, input.name ?? null, input.thresholds === undefined ? null : [...input.thresholds], input.webhookUrl ?? null],
  )
  const isSameLimit = limitAt(rule, from) === input.limit && !rule.limits.some((limit) => limit.from > from)
  if (!isSameLimit) await addLimit(tx, { budgetId: rule.id, from, amount: input.limit, by: input.by, note: input.note })
  return { kind: isSameLimit && rowCount === 0 ? 'unchanged' : 'changed', budgetId: rule.id, from }
}

export type TopUpOutcome =
  | { readonly kind: 'topped_up'; readonly budgetId: string; readonly limit: Amount }
  | { readonly kind: 'unknown_budget' | 'not_prepaid' }

/** Adds to a prepaid budget, from now on. Two at once both count. @throws {LedgerInputError} */
export async function topUpBudget(
  db: Database,
  input: { readonly budgetId: string; readonly amount: Amount; readonly by: string; readonly note?: string },
  now: Instant,
): Promise<TopUpOutcome> {
  const { budgetId, amount, by, note } = input
  if (amount <= 0n) throw new LedgerInputError('Cannot top up the budget: the amount must be more than zero')
  if (!isUuid(budgetId)) return { kind: 'unknown_budget' }
  return db.transaction(async (tx) => {
    await lockBudgets(tx)
    const rule = (await readBudgetRules(tx, now)).find(({ id }) => id === budgetId)
    if (rule === undefined) return { kind: 'unknown_budget' }
    if (rule.period !== 'prepaid') return { kind: 'not_prepaid' }
    const limit = limitAt(rule, now) + amount
    await addLimit(tx, { budgetId, from: now, amount: limit, topUp: amount, by, note })
    return { kind: 'topped_up', budgetId, limit }
  })
}

/** Ends a budget, now or at a later instant. What it counted stays. */
export async function endBudget(
  db: Database,
  input: { readonly budgetId: string; readonly by: string; readonly at?: Instant },
  now: Instant,
): Promise<'ended' | 'already_ended' | 'unknown_budget'> {
  if (!isUuid(input.budgetId)) return 'unknown_budget'
  const at = Math.max(input.at ?? now, now)
  return db.transaction(async (tx) => {
    await lockBudgets(tx)
    // One that has not begun ends a moment after it would have: it never bounds anything before, and hardly anything then.
    const ended = await tx.query(
      `update budget set effective_until = greatest($2::timestamptz, effective_from + interval '1 millisecond'), ended_by = $3::text
       where budget_id = $1::uuid and (effective_until is null or effective_until > $2::timestamptz)`,
      [input.budgetId, sqlInstant(at), input.by],
    )
    if (ended.rowCount === 1) return 'ended'
    const known = await tx.query('select from budget where budget_id = $1::uuid', [input.budgetId])
    return known.rowCount === 0 ? 'unknown_budget' : 'already_ended'
  })
}

type NewLimit = {
  readonly budgetId: string
  readonly from: Instant
  readonly amount: Amount
  readonly topUp?: Amount
  readonly by: string
  readonly note: string | undefined
}

async function addLimit(tx: Queryable, { budgetId, from, amount, topUp, by, note }: NewLimit): Promise<void> {
  await tx.query(
    `insert into budget_limit (budget_id, effective_from, amount, top_up, note, created_by)
     values ($1::uuid, $2::timestamptz, $3::numeric, $4::numeric, $5::text, $6::text)`,
    [budgetId, sqlInstant(from), String(amount), topUp === undefined ? null : String(topUp), note ?? null, by],
  )
}

/** Whoever changes rules, counts or grants has this for himself until his transaction ends. Notes that rules have changed. */
export async function lockBudgets(tx: Queryable): Promise<void> {
  await tx.query('update budget_state set rules = rules + 1')
}

/** How often rules have been changed. Gateways know of all changes so far once their snapshot has this number, or a higher one. */
export async function countRuleChanges(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ rules: bigint }>('select rules from budget_state')
  return Number(rows[0]?.rules ?? 0n)
}

function isSame(rule: BudgetKey, key: BudgetKey): boolean {
  return rule.scope === key.scope && rule.subject === key.subject && rule.unit === key.unit && rule.period === key.period
}

function check({ scope, subject, unit, period, limit, thresholds = [], webhookUrl }: NewBudget): void {
  const cannot = 'Cannot set the budget:'
  if (!BUDGET_SCOPES.includes(scope)) throw new LedgerInputError(`${cannot} its scope is none of ${BUDGET_SCOPES.join(', ')}`)
  if (!BUDGET_PERIODS.includes(period)) throw new LedgerInputError(`${cannot} its period is none of ${BUDGET_PERIODS.join(', ')}`)
  if (unit !== TOKENS && !isCurrency(unit))
    throw new LedgerInputError(`${cannot} "${String(unit)}" is neither tokens nor a currency such as USD`)
  if (subject === '' || subject.includes('\0') || Buffer.byteLength(subject) > SUBJECT_BYTES_MAX) {
    throw new LedgerInputError(`${cannot} its subject is empty, holds NUL or has more than ${SUBJECT_BYTES_MAX} bytes`)
  }
  if (limit < 0n) throw new LedgerInputError(`${cannot} its limit is below zero`)
  if (thresholds.length > THRESHOLDS_MAX || thresholds.some((each) => !Number.isInteger(each) || each < 1 || each > THRESHOLD_MAX)) {
    throw new LedgerInputError(`${cannot} thresholds are up to ${THRESHOLDS_MAX} whole numbers of percent from 1 to ${THRESHOLD_MAX}`)
  }
  if (webhookUrl !== undefined && !isWebhookUrl(webhookUrl)) {
    throw new LedgerInputError(`${cannot} its webhook is no http or https URL, or holds a password`)
  }
}

function isWebhookUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === ''
}

type Found = { readonly kind: 'known' | 'unknown_subject' } | { readonly kind: 'other_currency'; readonly currency: string }

const SUBJECT_KNOWN: Readonly<Record<Exclude<BudgetScope, 'organization'>, string>> = {
  user: `select from auth_mapping where user_id = $1::text union all select from user_version where user_id = $1::text limit 1`,
  group: `select from auth_mapping where group_id = $1::text union all select from group_version where group_id = $1::text limit 1`,
  credential: `select from auth_mapping where auth_id = $1::text limit 1`,
}

async function findSubject(tx: Queryable, { scope, subject, unit }: BudgetKey): Promise<Found> {
  if (subject === EACH) return { kind: 'known' }
  if (scope !== 'organization') {
    const { rowCount } = await tx.query(SUBJECT_KNOWN[scope], [subject])
    return { kind: rowCount > 0 ? 'known' : 'unknown_subject' }
  }
  if (!isUuid(subject)) return { kind: 'unknown_subject' }
  const { rows } = await tx.query<{ currency: string }>('select currency from organization where organization_id = $1::uuid', [subject])
  const [row] = rows
  if (row === undefined) return { kind: 'unknown_subject' }
  return unit === TOKENS || unit === row.currency ? { kind: 'known' } : { kind: 'other_currency', currency: row.currency }
}
