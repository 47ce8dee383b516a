import { createHash } from 'node:crypto'
import type { Database, Queryable } from '@ascribe/postgres'
import { formatNano, formatRate } from '@ascribe/units'
import type { Currency, Instant } from '@ascribe/units'
import { sqlInstant } from './instants.ts'
import { storedRate } from './stored-rate.ts'

/** One row of an hour as a central manager of the reference takes it. Money and rates are decimal strings. */
export type PushRollup = {
  /** Follows from hour, organization, key, resource, model and price version: the same row has it in every post. */
  readonly rated_usage_id: string
  readonly rev: 0
  readonly org_id: string
  readonly resource_id: string
  readonly model_id: string
  readonly cost: string
  readonly applied_prompt_rate: string
  readonly applied_cached_rate: string
  readonly applied_completion_rate: string
  /** The engine's total, cached tokens inside. */
  readonly prompt_tokens: number
  readonly cached_tokens: number
  readonly completion_tokens: number
  readonly billable_prompt_tokens: number
}

/** Why an hour is not sent: sending less than all of it would take the rest back. */
export type WithheldReason =
  /** It is not over. */
  | 'running'
  /** It waits to be rated. */
  | 'dirty'
  /** It holds usage of nobody. */
  | 'unattributed'
  /** Something in it is priced by the total of the month, which no hourly cost can say. */
  | 'priced_by_month'
  /** Rows that were sent before are gone. */
  | 'would_remove'

export type PushHour =
  | { readonly kind: 'ready'; readonly hour: Instant; readonly rollups: readonly PushRollup[] }
  | { readonly kind: 'withheld'; readonly hour: Instant; readonly reason: WithheldReason }

export type PushQuery = {
  /** Its first instant. */
  readonly hour: Instant
  readonly manager: string
  /** The wire knows no currency: only organizations that are billed in this one are sent. */
  readonly currency: Currency
  /** How long an hour must be over, so that gateways have sent what they had. Milliseconds. */
  readonly settleMs: number
  /** Whether rows that were sent before may be taken back. */
  readonly allowRemoval: boolean
}

const HOUR_MS = 3_600_000

/** Reads an hour as it is sent, whole, or why it is withheld; from one snapshot. */
export async function readPushHour(db: Database, query: PushQuery): Promise<PushHour> {
  return db.transaction((tx) => readHour(tx, query), { isolation: 'repeatable read', readOnly: true })
}

async function readHour(tx: Queryable, query: PushQuery): Promise<PushHour> {
  const { hour, currency } = query
  const reason = await reasonToWithhold(tx, query)
  if (reason !== undefined) return { kind: 'withheld', hour, reason }
  const rollups = await readRollups(tx, hour, currency)
  if (!query.allowRemoval && (await wouldRemove(tx, query, rollups))) return { kind: 'withheld', hour, reason: 'would_remove' }
  return { kind: 'ready', hour, rollups }
}

/** Remembers what a manager has taken. */
export async function recordPush(
  db: Queryable,
  { manager, hour, rollups }: { readonly manager: string; readonly hour: Instant; readonly rollups: readonly PushRollup[] },
): Promise<void> {
  await db.query(
    `insert into usage_push (manager, hour, rollup_ids, pushed_at) values ($1::text, $2::timestamptz, $3::text[], clock_timestamp())
     on conflict (manager, hour) do update set rollup_ids = excluded.rollup_ids, pushed_at = excluded.pushed_at`,
    [manager, sqlInstant(hour), rollups.map((rollup) => rollup.rated_usage_id)],
  )
}

/** Whether anything was ever charged: an empty ledger, or half a restored one, must not take everything back. */
export async function hasCharges(db: Queryable): Promise<boolean> {
  return (await db.query('select from charge limit 1')).rowCount > 0
}

async function reasonToWithhold(tx: Queryable, { hour, currency, settleMs }: PushQuery): Promise<WithheldReason | undefined> {
  const { rows } = await tx.query<{ running: boolean; dirty: boolean; unattributed: boolean; by_month: boolean }>(
    `select clock_timestamp() < $2::timestamptz as running,
       exists (select from dirty_hour where hour = $1::timestamptz) as dirty,
       exists (select from usage_hour where hour = $1::timestamptz and state = 'unattributed') as unattributed,
       exists (select from period_quantity q join organization o using (organization_id)
         where q.hour = $1::timestamptz and o.currency = $3::text) as by_month`,
    [sqlInstant(hour), sqlInstant(hour + HOUR_MS + settleMs), currency],
  )
  const [row] = rows
  if (row?.running !== false) return 'running'
  if (row.dirty) return 'dirty'
  if (row.unattributed) return 'unattributed'
  return row.by_month ? 'priced_by_month' : undefined
}

async function wouldRemove(tx: Queryable, { manager, hour }: PushQuery, rollups: readonly PushRollup[]): Promise<boolean> {
  const { rows } = await tx.query<{ rollup_ids: readonly string[] }>(
    'select rollup_ids from usage_push where manager = $1::text and hour = $2::timestamptz',
    [manager, sqlInstant(hour)],
  )
  const now = new Set(rollups.map((rollup) => rollup.rated_usage_id))
  return rows.some(({ rollup_ids: before }) => before.some((id) => !now.has(id)))
}

// Charges with what corrected them. Tokens of other meters are in the cost alone: the wire has no place for them.
const ROLLUPS = `
select organization_id, auth_id, resource_id, model, base_model, price_sequence, sum(amount_nano) as cost,
  max(rate) filter (where meter = 'input_tokens')::text as prompt_rate,
  max(rate) filter (where meter = 'cached_input_tokens')::text as cached_rate,
  max(rate) filter (where meter = 'output_tokens')::text as completion_rate,
  coalesce(sum(quantity) filter (where meter = 'input_tokens'), 0) as billable,
  coalesce(sum(quantity) filter (where meter = 'cached_input_tokens'), 0) as cached,
  coalesce(sum(quantity) filter (where meter in ('output_tokens', 'reasoning_tokens')), 0) as completion
from (
  select organization_id, auth_id, resource_id, model, base_model, price_sequence, meter, rate, quantity, amount_nano
  from charge where hour = $1::timestamptz
  union all
  select organization_id, auth_id, resource_id, model, base_model, price_sequence, meter, rate, quantity, amount_nano
  from adjustment where month = utc_month($1::timestamptz) and hour = $1::timestamptz
) booked
join organization using (organization_id)
where currency = $2::text
group by 1, 2, 3, 4, 5, 6
having sum(amount_nano) <> 0 or sum(quantity) <> 0
order by organization_id, auth_id collate "C", resource_id collate "C", model collate "C", base_model collate "C", price_sequence`

type RollupRow = {
  readonly organization_id: string
  readonly auth_id: string
  readonly resource_id: string
  readonly model: string
  readonly base_model: string | null
  readonly price_sequence: number
  readonly cost: string
  readonly prompt_rate: string | null
  readonly cached_rate: string | null
  readonly completion_rate: string | null
  readonly billable: string
  readonly cached: string
  readonly completion: string
}

async function readRollups(tx: Queryable, hour: Instant, currency: Currency): Promise<readonly PushRollup[]> {
  const { rows } = await tx.query<RollupRow>(ROLLUPS, [sqlInstant(hour), currency])
  return rows.map((row) => ({
    rated_usage_id: idOf(hour, row),
    rev: 0,
    org_id: row.organization_id,
    resource_id: row.resource_id,
    model_id: row.model,
    cost: formatNano(BigInt(row.cost)),
    applied_prompt_rate: rateText(row.prompt_rate),
    applied_cached_rate: rateText(row.cached_rate),
    applied_completion_rate: rateText(row.completion_rate),
    prompt_tokens: Number(row.billable) + Number(row.cached),
    cached_tokens: Number(row.cached),
    completion_tokens: Number(row.completion),
    billable_prompt_tokens: Number(row.billable),
  }))
}

/** 32 hex digits, as many as the reference's column holds. */
function idOf(hour: Instant, row: RollupRow): string {
  const parts = [hour, row.organization_id, row.auth_id, row.resource_id, row.model, row.base_model, row.price_sequence]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}

/** 0 where nothing of the class was used: then no rate was applied. */
function rateText(stored: string | null): string {
  return stored === null ? '0' : formatRate(storedRate(stored))
}
