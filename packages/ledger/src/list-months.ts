import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'

/** A month in which there is usage, or that was closed. */
export type MonthSummary = {
  readonly month: string
  readonly state: 'open' | 'closed'
  readonly closedAt?: Instant
  readonly closedBy?: string
  /** Records of rated hours; those that are held among them. */
  readonly records: bigint
  readonly heldRecords: bigint
  /** Hours that wait to be rated. */
  readonly dirtyHours: bigint
  /** Adjustments that are booked in it. */
  readonly adjustments: bigint
}

type Row = {
  readonly month: string
  readonly closed: boolean
  readonly closed_at: number | null
  readonly closed_by: string | null
  readonly records: bigint
  readonly held: bigint
  readonly dirty: bigint
  readonly adjustments: bigint
}

const MONTHS = `
with used as (
  select utc_month(hour) as month, sum(record_count)::bigint as records,
    coalesce(sum(record_count) filter (where state in ('unpriced', 'unattributed', 'unknown')), 0)::bigint as held
  from usage_hour group by 1
), dirty as (
  select utc_month(hour) as month, count(distinct hour) as hours from dirty_hour group by 1
), booked as (
  select booked_month as month, count(*) as adjustments from adjustment group by 1
), months as (
  select month from used union select month from dirty union select month from booked union select month from billing_period
)
select to_char(month, 'YYYY-MM') as month, coalesce(month <= (select max(month) from billing_period), false) as closed, p.closed_at, p.closed_by,
  coalesce(u.records, 0)::bigint as records, coalesce(u.held, 0)::bigint as held, coalesce(d.hours, 0)::bigint as dirty,
  coalesce(b.adjustments, 0)::bigint as adjustments
from months
left join used u using (month) left join dirty d using (month) left join booked b using (month) left join billing_period p using (month)
order by month`

/** Every month that has usage or was closed, in order. Reads all rated hours. */
export async function listMonths(db: Queryable): Promise<readonly MonthSummary[]> {
  const { rows } = await db.query<Row>(MONTHS)
  return rows.map((row) => ({
    month: row.month,
    state: row.closed ? 'closed' : 'open',
    ...(row.closed_at !== null && { closedAt: row.closed_at }),
    ...(row.closed_by !== null && { closedBy: row.closed_by }),
    records: row.records,
    heldRecords: row.held,
    dirtyHours: row.dirty,
    adjustments: row.adjustments,
  }))
}
