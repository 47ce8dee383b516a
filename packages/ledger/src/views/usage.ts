import type { Queryable } from '@ascribe/postgres'
import type { Quantity } from '@ascribe/units'
import { GRAIN_SQL, RECORD_SOURCE, USAGE_PARAMETERS, quantitySource, usageValues } from './cost-source.ts'
import type { Grain } from './cost-source.ts'
import { periodOfDays } from './day-window.ts'
import type { DayWindow } from './day-window.ts'
import { DIMENSION_SQL, RESOURCE_JOIN, asksRegion, filterSql } from './dimensions.ts'
import type { DimensionFilter, RecordDimension, UsageFilterDimension } from './dimensions.ts'
import { afterSql, placeOf } from './row-place.ts'
import type { RowPlace } from './row-place.ts'

export type ViewedUsageQuery = {
  /** One, or it and its children. The caller has made sure that the reader may see them all. */
  readonly organizationIds: readonly string[]
  readonly window: DayWindow
  readonly grain: Grain
  readonly by: readonly RecordDimension[]
  /** With meters: only groups that used any of them, and only these of their quantities; records are counted whatever else they used. */
  readonly filter: DimensionFilter<UsageFilterDimension>
  /** Rows at most. */
  readonly limit: number
  readonly after?: RowPlace
}

/** What one group of records used. */
export type ViewedUsageRow = {
  readonly start: string
  readonly keys: readonly string[]
  /** All that are this organization's, held and free ones too. */
  readonly records: bigint
  /** Those that nobody is charged for yet: without a price, or of unknown quantity. Their quantities are in no sum here. */
  readonly heldRecords: bigint
  readonly meters: Readonly<Record<string, Quantity>>
}

export type ViewedUsage = { readonly rows: readonly ViewedUsageRow[]; readonly next: RowPlace | undefined }

type Row = Readonly<Record<`k${number}`, string>> & {
  readonly start: string
  readonly records: string
  readonly held: string
  readonly meters: Readonly<Record<string, string>>
}

/** Reads what was used in a window, by any dimensions, as the facts are known now. @throws {LedgerInputError} for what is no window */
export async function readUsage(db: Queryable, query: ViewedUsageQuery): Promise<ViewedUsage> {
  const { organizationIds, window, grain, by, filter, limit, after } = query
  const { meter: meters, ...ofRecords } = filter
  const counted = filterSql(ofRecords, USAGE_PARAMETERS + 1)
  // After the others, so that both questions number their parameters alike.
  const metered = filterSql(meters === undefined ? {} : { meter: meters }, USAGE_PARAMETERS + 1 + counted.values.length)
  const wanted = { sql: `${counted.sql}${metered.sql}`, values: [...counted.values, ...metered.values] }
  const place = afterSql({ dimensions: by.length, after, first: USAGE_PARAMETERS + 1 + wanted.values.length })
  const keys = by.map((dimension, index) => `, ${DIMENSION_SQL[dimension]} as k${index}`).join('')
  const names = by.map((_, index) => `, k${index}`).join('')
  const join = asksRegion(by, filter) ? RESOURCE_JOIN : ''
  const positions = ['1', ...by.map((_, index) => String(index + 2))].join(', ')
  const sql = `
with sums as (
  select ${GRAIN_SQL[grain]} as start${keys}, t.meter, sum(t.quantity) as quantity
  from (${quantitySource(grain)}) t ${join} where true${wanted.sql} group by ${positions}, t.meter
), quantities as (
  select start${names}, json_object_agg(meter, quantity::text order by meter collate "C") as meters from sums where quantity <> 0 group by ${positions}
), counts as (
  select ${GRAIN_SQL[grain]} as start${keys}, sum(t.record_count)::text as records, sum(t.held_count)::text as held
  from (${grain === 'hour' ? RECORD_SOURCE.hour : RECORD_SOURCE.day}) t ${join} where true${counted.sql} group by ${positions}
), g as (
  select start, '' as currency${names}, coalesce(records, '0') as records, coalesce(held, '0') as held, coalesce(meters, '{}') as meters
  from counts ${meters === undefined ? 'full' : 'right'} join quantities using (start${names})
)
select * from g where ${place.sql} order by ${place.order} limit ${limit + 1}`
  const { rows } = await db.query<Row>(sql, [...usageValues(organizationIds, periodOfDays(window)), ...wanted.values, ...place.values])
  const page = rows.slice(0, limit).map((row) => ({
    start: row.start,
    keys: by.map((_, index) => row[`k${index}`] ?? ''),
    records: BigInt(row.records),
    heldRecords: BigInt(row.held),
    meters: Object.fromEntries(Object.entries(row.meters).map(([meter, quantity]) => [meter, BigInt(quantity)])),
  }))
  return { rows: page, next: rows.length > limit ? placeOf(page.at(-1)) : undefined }
}
