import type { Database, Queryable } from '@ascribe/postgres'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { shelfOf } from '../price-versions.ts'
import { COST_PARAMETERS, GRAIN_SQL, costSource, costValues } from './cost-source.ts'
import type { Grain } from './cost-source.ts'
import { monthsDatedIn, periodOfDays } from './day-window.ts'
import type { DatedMonths, DayWindow } from './day-window.ts'
import { DIMENSION_SQL, RESOURCE_JOIN, asksRegion, filterSql } from './dimensions.ts'
import type { Dimension, DimensionFilter } from './dimensions.ts'
import { findOpenMonths, readOpenMonthLines } from './open-months.ts'
import type { OpenMonthLine } from './open-months.ts'
import { afterSql, placeOf } from './row-place.ts'
import type { RowPlace } from './row-place.ts'

export type CostQuery = {
  /** One, or it and its children. The caller has made sure that the reader may see them all. */
  readonly organizationIds: readonly string[]
  readonly window: DayWindow
  readonly grain: Grain
  readonly by: readonly Dimension[]
  readonly filter: DimensionFilter
  /** Decides which day an open month's lines are dated on. */
  readonly now: Instant
  /** Rows at most. */
  readonly limit: number
  /** Only rows that come after this place. */
  readonly after?: RowPlace
}

/** What one group of charges came to. */
export type CostRow = {
  /** Start of the hour, day or month; empty: of the whole window. */
  readonly start: string
  /** One for each dimension, in their order; empty: none. */
  readonly keys: readonly string[]
  readonly currency: Currency
  readonly amount: Nano
}

export type Costs = {
  /** By start, then keys. */
  readonly rows: readonly CostRow[]
  /** Of all groups, not only of those on this page; by currency, for children may have another one. */
  readonly totals: readonly { readonly currency: Currency; readonly amount: Nano }[]
  /** Of the last row, if there are more. */
  readonly next: RowPlace | undefined
}

/**
 * Reads what was charged in a window, by any dimensions. Over whole months, and of this one until today, the sum over all groups is that of
 * the statements, to the nano, whatever they are grouped by. @throws {LedgerInputError} for what is no window
 */
export async function readCosts(db: Database, query: CostQuery): Promise<Costs> {
  return withOpenLines(db, query, (tx, lines, months) => groupCosts(tx, query, { lines, months }))
}

/** Of what and when: as much as is needed to know which lines of months are in it. */
export type CostScope = Pick<CostQuery, 'organizationIds' | 'window' | 'now'>

/** Runs a question over costs together with the lines of open months, in one snapshot if there are any. */
export async function withOpenLines<Result>(
  db: Database,
  { organizationIds, window, now }: CostScope,
  ask: (tx: Queryable, lines: readonly OpenMonthLine[], months: DatedMonths) => Promise<Result>,
): Promise<Result> {
  const books = shelfOf(db)
  const months = monthsDatedIn(periodOfDays(window), now)
  const asked = { organizationIds, months, books }
  if ((await findOpenMonths(db, asked)).length === 0) return ask(db, [], months)
  // Asked again in the snapshot: a month that was closed in between has its lines in the ledger, and would have them twice.
  return db.transaction(async (tx) => ask(tx, await readOpenMonthLines(tx, await findOpenMonths(tx, asked), books), months), {
    isolation: 'repeatable read',
    readOnly: true,
  })
}

type GroupedRow = Readonly<Record<`k${number}`, string>> & {
  readonly start: string
  readonly currency: string
  readonly amount: string
}

type Inputs = { readonly lines: readonly OpenMonthLine[]; readonly months: DatedMonths }

async function groupCosts(db: Queryable, query: CostQuery, { lines, months }: Inputs): Promise<Costs> {
  const { organizationIds, window, grain, by, filter, limit, after } = query
  const period = periodOfDays(window)
  const wanted = filterSql(filter, COST_PARAMETERS + 1)
  const place = afterSql({ dimensions: by.length, after, first: COST_PARAMETERS + 1 + wanted.values.length })
  const keys = by.map((dimension, index) => `, ${DIMENSION_SQL[dimension]} as k${index}`).join('')
  const positions = ['1', '2', ...by.map((_, index) => String(index + 3))].join(', ')
  const values = [...costValues({ organizationIds, period, months, lines }), ...wanted.values, ...place.values]
  const sql = `
with grouped as materialized (
  select ${GRAIN_SQL[grain]} as start, o.currency${keys}, sum(t.amount_nano) as amount
  from (${costSource(grain)}) t join organization o on o.organization_id = t.organization_id
  ${asksRegion(by, filter) ? RESOURCE_JOIN : ''}
  where not t.by_month${wanted.sql}
  group by ${positions}
)
(select 1 as part, * from grouped g where ${place.sql} order by ${place.order} limit ${limit + 1})
union all
select 2, '', currency${by.map(() => ", ''").join('')}, sum(amount) from grouped group by currency`
  const { rows } = await db.query<GroupedRow & { readonly part: number }>(sql, values)
  const found = rows.filter(({ part }) => part === 1)
  const page = found.slice(0, limit).map((row): CostRow => ({
    start: row.start,
    keys: by.map((_, index) => row[`k${index}`] ?? ''),
    currency: row.currency,
    amount: BigInt(row.amount),
  }))
  return {
    rows: page,
    totals: rows
      .filter(({ part }) => part === 2)
      .map(({ currency, amount }) => ({ currency, amount: BigInt(amount) }))
      .toSorted((a, b) => (a.currency < b.currency ? -1 : 1)),
    next: found.length > limit ? placeOf(page.at(-1)) : undefined,
  }
}
