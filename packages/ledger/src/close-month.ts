import type { Database, Queryable } from '@ascribe/postgres'
import { monthAfter, monthsOf } from '@ascribe/rating'
import { formatRate } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import { lockRating } from './locks.ts'
import type { MonthLine } from './month-lines.ts'
import { parseMonth } from './parse-month.ts'
import { readClosedThrough } from './periods.ts'
import { shelfOf } from './price-versions.ts'
import { readMonthLines } from './read-month-lines.ts'

export type CloseMonth = {
  /** `2026-10`. */
  readonly month: string
  readonly closedBy: string
  /** Close although usage is held. What is held gets charged by adjustments, once it can be. Default false. */
  readonly force?: boolean
  /** Journals that are known to hold what the ledger has not. Default: what the ledger itself knows. */
  readonly lagging?: readonly string[]
}

/**
 * - `closed`: its charges and lines are frozen; `lines` that no hourly charge makes were stored.
 * - `already_closed`: nothing was done.
 * - `not_over`: it has not ended, by the database's clock.
 * - `earlier_open`: months close in order, and this earlier one has usage.
 * - `dirty`: so many hours or closed months wait to be rated.
 * - `lagging`: these writers have sent more than has arrived.
 * - `held`: so many records are held, and it was not forced.
 */
export type CloseOutcome =
  | { readonly kind: 'closed'; readonly month: string; readonly lines: number }
  | { readonly kind: 'already_closed'; readonly month: string }
  | { readonly kind: 'not_over'; readonly end: number }
  | { readonly kind: 'earlier_open'; readonly month: string }
  | { readonly kind: 'dirty'; readonly hours: number }
  | { readonly kind: 'lagging'; readonly writers: readonly string[] }
  | { readonly kind: 'held'; readonly unpriced: bigint; readonly unattributed: bigint; readonly unknown: bigint }

/**
 * Closes a month for all organizations of the ledger, and for good. Waits until nobody rates. Usage that comes in afterwards, or turns out
 * otherwise, becomes adjustments in the oldest open month. @throws {LedgerInputError} for what is no month
 */
export async function closeMonth(db: Database, input: CloseMonth): Promise<CloseOutcome> {
  const { month, closedBy, force = false, lagging = [] } = input
  const { start, end } = parseMonth(month)
  if (closedBy === '') throw new LedgerInputError('Cannot close the month: nobody is named who closes it')
  return db.transaction(async (tx) => {
    await lockRating(tx)
    const through = await readClosedThrough(tx)
    if (through !== undefined && month <= through) return { kind: 'already_closed', month }
    const refusal =
      (await refusalOf(tx, { start, end })) ??
      (await refusalOfWriters(tx, lagging)) ??
      (force ? undefined : await refusalOfHeld(tx, { start, end }))
    if (refusal !== undefined) return refusal
    // Months without usage between the last closed one and this one are closed with it: minimums and commitments may be due in them. All
    // lines first, as of months that are open.
    const months = monthsOf({ from: through === undefined ? month : monthAfter(through), to: monthAfter(month) })
    const lines = new Map<string, readonly MonthLine[]>()
    for (const each of months) lines.set(each, await readMonthLines(tx, { month: each, books: shelfOf(db) }))
    await tx.query(INSERT_PERIODS, [months.map((each) => `${each}-01`), closedBy])
    for (const [each, own] of lines) await insertLines(tx, each, own)
    return { kind: 'closed', month, lines: lines.get(month)?.length ?? 0 }
  })
}

const INSERT_PERIODS = `
insert into billing_period (month, closed_by, price_sequence)
select month, $2::text, (select max(sequence) from price_version) from unnest($1::date[]) month`

async function refusalOf(
  tx: Queryable,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<CloseOutcome | undefined> {
  const { rows } = await tx.query<{ over: boolean; dirty: bigint; earlier: string | null }>(
    `select clock_timestamp() >= $1::timestamptz as over,
       (select count(distinct hour) from dirty_hour where hour < $1::timestamptz)
         + (select count(distinct month) from dirty_period) as dirty,
       (select to_char(min(utc_month(hour)), 'YYYY-MM') from usage_hour
        where hour < $2::timestamptz
          and utc_month(hour) > coalesce((select max(month) from billing_period), '-infinity')) as earlier`,
    [sqlInstant(end), sqlInstant(start)],
  )
  const [row] = rows
  if (row?.over !== true) return { kind: 'not_over', end }
  if (row.earlier !== null) return { kind: 'earlier_open', month: row.earlier }
  return row.dirty > 0n ? { kind: 'dirty', hours: Number(row.dirty) } : undefined
}

/** Of a journal that came in parts, a later part is there and an earlier one is not. */
async function refusalOfWriters(tx: Queryable, lagging: readonly string[]): Promise<CloseOutcome | undefined> {
  const { rows } = await tx.query<{ writer: string }>('select distinct writer from writer_range order by writer')
  const writers = [...new Set([...lagging, ...rows.map(({ writer }) => writer)])].toSorted()
  return writers.length > 0 ? { kind: 'lagging', writers } : undefined
}

async function refusalOfHeld(
  tx: Queryable,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<CloseOutcome | undefined> {
  const { rows } = await tx.query<{ unpriced: bigint; unattributed: bigint; unknown: bigint }>(
    `select coalesce(sum(record_count) filter (where state = 'unpriced'), 0)::bigint as unpriced,
       coalesce(sum(record_count) filter (where state = 'unattributed'), 0)::bigint as unattributed,
       coalesce(sum(record_count) filter (where state = 'unknown'), 0)::bigint as unknown
     from usage_hour
     where hour >= $1::timestamptz and hour < $2::timestamptz and state in ('unpriced', 'unattributed', 'unknown')`,
    [sqlInstant(start), sqlInstant(end)],
  )
  const [row] = rows
  if (row === undefined || row.unpriced + row.unattributed + row.unknown === 0n) return undefined
  return { kind: 'held', ...row }
}

const INSERT_LINES = `
insert into statement_line (month, organization_id, position, kind, model, base_model, meter, price_sequence, rate, quantity, amount_nano,
  description)
select $1::date, organization_id, position, kind, model, base_model, meter, price_sequence, rate, quantity, amount_nano, description
from json_to_recordset($2::json) as r (organization_id uuid, position integer, kind text, model text, base_model text, meter text,
  price_sequence integer, rate numeric, quantity numeric, amount_nano numeric, description text)`

async function insertLines(tx: Queryable, month: string, lines: readonly MonthLine[]): Promise<void> {
  const positions = new Map<string, number>()
  const rows = lines.map((line) => {
    const position = (positions.get(line.organizationId) ?? 0) + 1
    positions.set(line.organizationId, position)
    return {
      organization_id: line.organizationId,
      position,
      kind: line.kind,
      model: line.model,
      base_model: line.baseModel,
      meter: line.meter,
      price_sequence: line.priceSequence,
      rate: formatRate(line.rate),
      quantity: String(line.quantity),
      amount_nano: String(line.amount),
      description: line.description,
    }
  })
  await tx.query(INSERT_LINES, [`${month}-01`, JSON.stringify(rows)])
}
