import type { Database, Queryable } from '@ascribe/postgres'
import { formatNano, formatRate, hourOf } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import { findWrongDays } from './cost-days.ts'
import { sqlInstant } from './instants.ts'
import type { MonthLine } from './month-lines.ts'
import { parseMonth } from './parse-month.ts'
import { monthOfInstant, readClosedThrough } from './periods.ts'
import { createBookShelf } from './price-versions.ts'
import { readMonthLines, readStoredLines } from './read-month-lines.ts'
import { createRecount, readRecords } from './recount.ts'
import { createMonthRecount } from './verify-month.ts'
import type { MonthRecount } from './verify-month.ts'
import { addToHour, compareHour, createHourRecount, differencesOf } from './verify-hour.ts'
import type { HourRecount, RatingDifference } from './verify-hour.ts'

export type Verification = {
  /** Records that were counted. */
  readonly records: number
  /** Hours that were compared. */
  readonly hours: number
  /** Hours that wait to be rated again, and were not compared. */
  readonly pendingHours: number
  /** At most 1000. */
  readonly differences: readonly RatingDifference[]
  readonly differenceCount: number
}

/** Differences that are reported one by one; beyond that only their number tells anything. */
const DIFFERENCES_MAX = 1000
/** Years 1970 to 2200: everything that can be stored. */
const ALWAYS: Period = { start: 0, end: Date.UTC(2200, 0, 1) }

/**
 * Counts a month (default: everything) again from its records, one by one, and compares with what the rater has stored; of closed months,
 * with charges and adjustments together, and the lines of the month too. Reads one snapshot, changes nothing.
 * @throws {LedgerInputError} for what is no month.
 */
export async function verifyRating(db: Database, options: { readonly month?: string } = {}): Promise<Verification> {
  const period = options.month === undefined ? ALWAYS : parseMonth(options.month)
  return db.transaction((tx) => verify(tx, period), { isolation: 'repeatable read', readOnly: true })
}

async function verify(tx: Queryable, period: Period): Promise<Verification> {
  const recount = await createRecount(tx)
  const closedThrough = (await readClosedThrough(tx)) ?? ''
  const stored = await readHours(
    tx,
    'select hour from usage_hour union select hour from charge union select hour from period_quantity union select hour from adjustment',
    period,
  )
  const pending = await readHours(tx, 'select hour from dirty_hour', period)
  const archived = await readArchivedHours(tx, [...stored])
  const closed = new Map<string, MonthRecount>()
  const differences: RatingDifference[] = []
  let [records, hours, differenceCount] = [0, 0, 0]

  function report(found: readonly RatingDifference[]): void {
    differenceCount += found.length
    differences.push(...found.slice(0, DIFFERENCES_MAX - differences.length))
  }

  async function close(hour: HourRecount): Promise<void> {
    stored.delete(hour.hour)
    if (archived.has(hour.hour)) return
    if (monthOfInstant(hour.hour) <= closedThrough) {
      closed.getOrInsertComputed(monthOfInstant(hour.hour), () => createMonthRecount()).add(hour)
    }
    if (pending.has(hour.hour)) return
    hours += 1
    report(await compareHour(tx, hour))
  }

  let current: HourRecount | undefined
  for await (const record of readRecords(tx, period)) {
    const { start } = hourOf(record.startedAt)
    if (current !== undefined && current.hour !== start) await close(current)
    if (current?.hour !== start) current = createHourRecount(start)
    addToHour(current, record, recount.fateOf(record))
    records += 1
  }
  if (current !== undefined) await close(current)
  // Hours that are rated, or were corrected, and have no records.
  for (const hour of stored) await close(createHourRecount(hour))
  report(await findMisbooked(tx, period))
  for (const month of await readClosedMonths(tx, { period, closedThrough })) {
    if (await isPending(tx, month.month)) continue
    report(await compareMonth(tx, month, closed.get(month.month) ?? createMonthRecount()))
  }
  for (const { day, table } of await findWrongDays(tx, period))
    report([{ hour: day, table, kind: 'unexpected', row: 'sums that are not those of the hours of the day' }])
  return { records, hours, pendingHours: pending.size, differences, differenceCount }
}

async function readHours(tx: Queryable, source: string, period: Period): Promise<Set<Instant>> {
  const { rows } = await tx.query<{ hour: number }>(
    `select distinct hour from (${source}) s where hour >= $1::timestamptz and hour < $2::timestamptz order by hour`,
    [sqlInstant(period.start), sqlInstant(period.end)],
  )
  return new Set(rows.map(({ hour }) => hour))
}

/** Hours whose records are in an archive: they cannot be counted again here. */
async function readArchivedHours(tx: Queryable, hours: readonly Instant[]): Promise<ReadonlySet<Instant>> {
  const { rows } = await tx.query<{ hour: number }>(
    `select hour from unnest($1::timestamptz[]) hour
     where exists (select from usage_archive a where a.state <> 'closing' and hour between a.first_hour and a.last_hour)`,
    [hours.map(sqlInstant)],
  )
  return new Set(rows.map(({ hour }) => hour))
}

/** `early`: it is before the first month that was closed, and only who used something then has lines of it. */
type ClosedMonth = { readonly month: string; readonly early: boolean }

/** Closed months of which all hours can be counted again. */
async function readClosedMonths(
  tx: Queryable,
  { period, closedThrough }: { readonly period: Period; readonly closedThrough: string },
): Promise<readonly ClosedMonth[]> {
  if (closedThrough === '') return []
  const { rows } = await tx.query<ClosedMonth>(
    `select to_char(month, 'YYYY-MM') as month, month < (select min(month) from billing_period) as early
     from (select month from billing_period union select month from adjustment union select utc_month(hour) from usage_hour) p
     where month >= $1::date and month < $2::date and month <= $3::date
       and not exists (select from usage_archive a where a.state <> 'closing' and p.month between utc_month(a.first_hour) and utc_month(a.last_hour))
     order by month`,
    [dayText(period.start), dayText(period.end), `${closedThrough}-01`],
  )
  return rows
}

/** Adjustments that came into a month after it was closed, where no invoice has them: never any. */
async function findMisbooked(tx: Queryable, period: Period): Promise<readonly RatingDifference[]> {
  const { rows } = await tx.query<{ at: number; row: string }>(
    `select coalesce(hour, month::timestamp at time zone 'UTC') as at, a::text as row from adjustment a
     where month >= $1::date and month < $2::date
       and created_at > (select closed_at from billing_period p where p.month >= a.booked_month order by p.month limit 1)
     order by 1, 2`,
    [dayText(period.start), dayText(period.end)],
  )
  return rows.map(({ at, row }) => ({ hour: at, table: 'adjustment', kind: 'unexpected', row: `booked into a closed month: ${row}` }))
}

function dayText(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10)
}

async function isPending(tx: Queryable, month: string): Promise<boolean> {
  const { start, end } = parseMonth(month)
  const { rowCount } = await tx.query(
    `select from dirty_period where month = $1::date
     union all select from dirty_hour where hour >= $2::timestamptz and hour < $3::timestamptz limit 1`,
    [`${month}-01`, sqlInstant(start), sqlInstant(end)],
  )
  return rowCount > 0
}

async function compareMonth(tx: Queryable, { month, early }: ClosedMonth, recount: MonthRecount): Promise<readonly RatingDifference[]> {
  const counted = { totals: recount.totals(), charged: recount.charged() }
  const all = (await readStoredLines(tx, { month })).map(({ line }) => line)
  const known = new Set([...all, ...counted.totals].map(({ organizationId }) => organizationId).concat(...counted.charged.keys()))
  const expected = (await readMonthLines(tx, { month, books: createBookShelf(), counted })).filter(
    ({ organizationId }) => !early || known.has(organizationId),
  )
  const stored = all.filter(({ quantity, amount }) => quantity !== 0n || amount !== 0n)
  return differencesOf(
    { hour: parseMonth(month).start, table: 'statement_line' },
    { expected: expected.map(lineText), stored: stored.map(lineText) },
  )
}

function lineText({
  organizationId,
  kind,
  model,
  baseModel,
  meter,
  priceSequence,
  rate,
  quantity,
  amount,
  description,
}: MonthLine): string {
  const numbers = [formatRate(rate), String(quantity), formatNano(amount)]
  return JSON.stringify([organizationId, kind, model, baseModel, meter, priceSequence, ...numbers, description])
}
