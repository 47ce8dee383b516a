import type { Database, Queryable } from '@ascribe/postgres'
import { formatInstant, hourOf, isUuid } from '@ascribe/units'
import type { Currency, Instant, Nano, Period, Quantity } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import { createBookShelf, readDatedBooks } from './price-versions.ts'
import { ratePeriod } from './rate.ts'
import type { RatedUsage, UsageRow } from './rate-groups.ts'

/** What usage can be told apart by. `key` is the auth id; days and hours are UTC. */
export type UsageDimension = 'model' | 'day' | 'hour' | 'key' | 'user' | 'meter' | 'resource'

export type UsageQuery = {
  readonly organizationId: string
  /** Instants from here on … */
  readonly from: Instant
  /** … and before this. */
  readonly to: Instant
  readonly by: readonly UsageDimension[]
  /** Only these auth ids. Default: all. */
  readonly authIds?: readonly string[]
}

export type UsageReportRow = {
  /** One value for each dimension that was asked for: `2026-11-22` for a day, `2026-11-22T13:00:00Z` for an hour. Null: none. */
  readonly key: Readonly<Partial<Record<UsageDimension, string | null>>>
  /** Records, held and free ones too; by `meter`, those that have the meter. */
  readonly records: bigint
  /** Those of them that are held, for want of a price or because nobody knows how much it was: they are in no amount. */
  readonly heldRecords: bigint
  /** Quantities by meter, held ones too. */
  readonly meters: Readonly<Record<string, Quantity>>
  /** What is charged by the hour, adjustments of these hours included. What the total of a month prices is on the statement alone. */
  readonly amount: Nano
  /** Those of the quantities that are in no amount because the total of their month prices them: tiers, packages, included quantities. */
  readonly pricedByMonth: Readonly<Record<string, Quantity>>
}

export type UsageReport = { readonly organizationId: string; readonly currency: Currency; readonly rows: readonly UsageReportRow[] }

/** SQL of each dimension; `meter` is there only where a row has one. */
const EXPRESSIONS: Readonly<Record<UsageDimension, string>> = {
  model: 't.model',
  day: `to_char(t.hour at time zone 'UTC', 'YYYY-MM-DD')`,
  hour: `to_char(t.hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24":00:00Z"')`,
  key: 't.auth_id',
  user: 't.user_id',
  meter: 't.meter',
  resource: 't.resource_id',
}

type Keys = readonly (string | null)[]
type Quantities = Record<string, Quantity>
type Sums = { records: bigint; heldRecords: bigint; readonly meters: Quantities; amount: Nano; readonly pricedByMonth: Quantities }
type Totals = { at(keys: Keys): Sums; rows(): readonly UsageReportRow[] }

/**
 * Reads what an organization used: attributed records only; `undefined` when it does not exist. Whole hours come from what the
 * rater has stored. An hour that the period cuts is counted from its records, and the amount of the part is rounded on its own:
 * the two parts of an hour can differ from the whole by 10^-9 a charge. @throws {LedgerInputError}
 */
export async function usageReport(db: Database, query: UsageQuery): Promise<UsageReport | undefined> {
  const { organizationId, from, to, by } = query
  if (from > to) throw new LedgerInputError('Cannot report usage: the period ends before it starts')
  if (new Set(by).size !== by.length) throw new LedgerInputError('Cannot report usage: a dimension is named twice')
  if (!isUuid(organizationId)) return undefined
  return db.transaction(
    async (tx) => {
      const { rows } = await tx.query<{ currency: string }>('select currency from organization where organization_id = $1::uuid', [
        organizationId,
      ])
      const [organization] = rows
      if (organization === undefined) return undefined
      const totals = createTotals(by)
      const { whole, parts } = splitHours({ start: from, end: to })
      if (whole !== undefined) await addStored(tx, { query, period: whole, totals })
      for (const part of parts) await addPart(tx, { query, part, totals })
      return { organizationId, currency: organization.currency, rows: totals.rows() }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** The whole hours of a period, and the parts of hours at its ends. */
function splitHours(period: Period): { readonly whole: Period | undefined; readonly parts: readonly Period[] } {
  const { start, end } = period
  if (start >= end) return { whole: undefined, parts: [] }
  const firstWhole = hourOf(start - 1).end
  const lastWhole = hourOf(end).start
  if (firstWhole > lastWhole) return { whole: undefined, parts: [period] }
  const parts = [
    { start, end: firstWhole },
    { start: lastWhole, end },
  ].filter((part) => part.start < part.end)
  return { whole: firstWhole < lastWhole ? { start: firstWhole, end: lastWhole } : undefined, parts }
}

function createTotals(by: readonly UsageDimension[]): Totals {
  const totals = new Map<string, { readonly keys: Keys; readonly sums: Sums }>()
  return {
    at(keys) {
      const entry = totals.getOrInsertComputed(JSON.stringify(keys), () => ({
        keys,
        sums: { records: 0n, heldRecords: 0n, meters: {}, amount: 0n, pricedByMonth: {} },
      }))
      return entry.sums
    },
    rows: () =>
      [...totals.values()]
        .toSorted((a, b) => compareKeys(a.keys, b.keys))
        .map(({ keys, sums }) => ({
          key: Object.fromEntries(by.map((dimension, index) => [dimension, keys[index] ?? null])),
          ...sums,
          meters: sorted(sums.meters),
          pricedByMonth: sorted(sums.pricedByMonth),
        })),
  }
}

function sorted(quantities: Quantities): Quantities {
  return Object.fromEntries(Object.entries(quantities).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Null comes last. */
function compareKeys(a: Keys, b: Keys): number {
  for (const [index, left] of a.entries()) {
    const right = b[index] ?? null
    if (left === right) continue
    if (left === null || right === null) return left === null ? 1 : -1
    return left < right ? -1 : 1
  }
  return 0
}

type StoredRow = Readonly<Record<`k${number}`, string | null>> & {
  readonly meter: string
  readonly records: string
  readonly held: string
  readonly quantity: string
  readonly amount: string
}

const HELD = "state in ('unpriced', 'unknown')"
const OWN = `organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
  and ($4::text[] is null or auth_id = any($4::text[]))`

/** Charges, and what corrected those of closed months: quantities are those of now, so amounts are too. */
const CHARGED = `
select hour, auth_id, user_id, resource_id, model, meter, amount_nano from charge where ${OWN}
union all
select hour, auth_id, user_id, resource_id, model, meter, amount_nano from adjustment where ${OWN}`

async function addStored(
  tx: Queryable,
  { query, period, totals }: { readonly query: UsageQuery; readonly period: Period; readonly totals: Totals },
): Promise<void> {
  const { by, organizationId, authIds } = query
  const values = [organizationId, sqlInstant(period.start), sqlInstant(period.end), authIds === undefined ? null : [...authIds]]
  const keys = by.map((dimension, index) => `${EXPRESSIONS[dimension]} as k${index}, `).join('')
  const positions = by.map((_, index) => index + 1)
  const byMeter = by.includes('meter')
  const unfolded = `(select u.*, e.key as meter, e.value::numeric as quantity from usage_hour u cross join jsonb_each_text(u.meters) e where ${OWN}) t`
  const keysOf = (row: StoredRow): Keys => by.map((_, index) => row[`k${index}`] ?? null)

  const counts = await tx.query<StoredRow>(
    `select ${keys}sum(t.record_count) as records, coalesce(sum(t.record_count) filter (where t.${HELD}), 0) as held
     from ${byMeter ? unfolded : `(select * from usage_hour where ${OWN}) t`}
     where t.state <> 'unattributed' ${groupBy(positions)}`,
    values,
  )
  for (const row of counts.rows) {
    if (row.records === null) continue
    const sums = totals.at(keysOf(row))
    sums.records += BigInt(row.records)
    sums.heldRecords += BigInt(row.held)
  }
  const quantities = await tx.query<StoredRow>(
    `select ${keys}t.meter, sum(t.quantity) as quantity from ${unfolded} where t.state <> 'unattributed' ${groupBy([...positions, positions.length + 1])}`,
    values,
  )
  for (const row of quantities.rows) addQuantity(totals.at(keysOf(row)).meters, row.meter, BigInt(row.quantity))
  const byMonth = await tx.query<StoredRow>(
    `select ${keys}t.meter, sum(t.quantity) as quantity from (select * from period_quantity where ${OWN}) t ${groupBy([...positions, positions.length + 1])}`,
    values,
  )
  for (const row of byMonth.rows) addQuantity(totals.at(keysOf(row)).pricedByMonth, row.meter, BigInt(row.quantity))
  const amounts = await tx.query<StoredRow>(`select ${keys}sum(t.amount_nano) as amount from (${CHARGED}) t ${groupBy(positions)}`, values)
  for (const row of amounts.rows) if (row.amount !== null) totals.at(keysOf(row)).amount += BigInt(row.amount)
}

function groupBy(positions: readonly number[]): string {
  return positions.length === 0 ? '' : `group by ${positions.join(', ')}`
}

function addQuantity(sums: Quantities, meter: string, quantity: Quantity): void {
  sums[meter] = (sums[meter] ?? 0n) + quantity
}

async function addPart(
  tx: Queryable,
  { query, part, totals }: { readonly query: UsageQuery; readonly part: Period; readonly totals: Totals },
): Promise<void> {
  const rated = await ratePeriod(tx, part, { versions: await readDatedBooks(tx), books: createBookShelf() })
  addRated(rated, { query, hour: hourOf(part.start).start, totals })
}

function addRated(
  { usage, charges, period }: RatedUsage,
  { query, hour, totals }: { readonly query: UsageQuery; readonly hour: Instant; readonly totals: Totals },
): void {
  const isAsked = (row: { readonly organizationId: string | null; readonly authId: string }): boolean =>
    row.organizationId === query.organizationId && (query.authIds?.includes(row.authId) ?? true)
  const byMeter = query.by.includes('meter')
  for (const row of usage.filter((candidate) => isAsked(candidate) && candidate.state !== 'unattributed')) {
    const meters = Object.entries(row.meters)
    if (!byMeter) count(totals.at(keysOf(query.by, { ...row, hour })), row)
    for (const [meter, quantity] of meters) {
      const sums = totals.at(keysOf(query.by, { ...row, hour, meter }))
      if (byMeter) count(sums, row)
      addQuantity(sums.meters, meter, quantity)
    }
  }
  for (const row of charges.filter(isAsked)) totals.at(keysOf(query.by, { ...row, hour })).amount += row.amount
  for (const row of period.filter(isAsked))
    addQuantity(totals.at(keysOf(query.by, { ...row, hour })).pricedByMonth, row.meter, row.quantity)
}

function count(sums: Sums, row: UsageRow): void {
  sums.records += row.recordCount
  if (row.state === 'unpriced' || row.state === 'unknown') sums.heldRecords += row.recordCount
}

type Keyed = {
  readonly model: string | null
  readonly authId: string
  readonly userId: string | null
  readonly resourceId: string
  readonly hour: Instant
  readonly meter?: string
}

/** What EXPRESSIONS says in SQL. */
function keysOf(by: readonly UsageDimension[], row: Keyed): Keys {
  const hour = formatInstant(row.hour)
  const values: Readonly<Record<UsageDimension, string | null>> = {
    model: row.model,
    day: hour.slice(0, 10),
    hour,
    key: row.authId,
    user: row.userId,
    meter: row.meter ?? null,
    resource: row.resourceId,
  }
  return by.map((dimension) => values[dimension])
}
