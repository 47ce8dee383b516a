import type { Queryable } from '@ascribe/postgres'
import { hourOf, parseRate } from '@ascribe/units'
import { chargeSubjectOf } from '../charge-columns.ts'
import type { ChargeColumns } from '../charge-columns.ts'
import { sqlInstant } from '../instants.ts'
import type { ExportRow } from './export-row.ts'
import { narrowSql } from './narrow-rows.ts'
import type { NarrowSql } from './narrow-rows.ts'
import { FIRST_ID } from './source-query.ts'
import type { SourceQuery } from './source-query.ts'

type HourlyRow = ChargeColumns & {
  readonly hour: number
  readonly key: string
  readonly name: string
  readonly currency: string
  readonly month: string
  readonly rate: string
  readonly quantity: string
  readonly amount_nano: string
  readonly record_count: bigint
  readonly number: string | null
}

// The hour up to which there is about a page: whatever plan is chosen below, it has no more to look at than that and one hour.
const BOUND_SQL = `
select hour from charge
where hour >= $1::timestamptz and hour < $2::timestamptz and ($3::uuid is null or organization_id = $3::uuid)
order by hour offset $4::integer limit 1`

const PAGE_PARAMETERS = 7

// Keyset paging. The index gives hours and organizations in order, so that only the charges of one organization in one hour are
// sorted by their key (an incremental sort), and every page costs the same. The key is a hash, since the texts have no bound.
const pageSql = ({ sql, join }: NarrowSql): string => `
select * from (
  select t.hour, t.organization_id, md5(row(t.price_sequence, t.auth_id, t.user_id, t.group_id, t.resource_id, t.model, t.base_model,
      t.meter)::text)::uuid as key,
    o.name, o.currency, to_char(utc_month(t.hour), 'YYYY-MM') as month, t.auth_id, t.user_id, t.group_id, t.resource_id, t.model,
    t.base_model, t.meter, t.price_sequence, t.rate, t.quantity, t.amount_nano, t.record_count, i.number
  from charge t
  join organization o using (organization_id)
  left join invoice i on i.organization_id = t.organization_id and i.month = utc_month(t.hour) and i.state in ('issued', 'paid')
  ${join}
  where t.hour >= $1::timestamptz and t.hour <= $2::timestamptz and ($3::uuid is null or t.organization_id = $3::uuid)
    and (t.hour, t.organization_id) >= ($1::timestamptz, $4::uuid)
    and ($6::text = 'all' or ($6::text = 'open') = (i.number is null))${sql}
) page
where (hour, organization_id, key) > ($1::timestamptz, $4::uuid, $5::uuid)
order by hour, organization_id, key limit $7::integer`

/** The hourly charges of a period, by hour and organization. An hour is whole or absent: it is there when its start is in the period. */
export async function* streamHourlyRows(db: Queryable, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { organizationId, select, pageSize, to } = query
  const narrowed = narrowSql(query.filter, { category: 'usage', first: PAGE_PARAMETERS + 1 })
  if (narrowed === undefined) return
  const page = pageSql(narrowed)
  let after = { hour: sqlInstant(query.from), organization: FIRST_ID, key: FIRST_ID }
  for (;;) {
    const bound = await db.query<{ hour: number }>(BOUND_SQL, [after.hour, sqlInstant(to), organizationId, pageSize])
    const isLast = bound.rows[0] === undefined
    // The last hour that begins before the end: an instant is a whole number of milliseconds.
    const upTo = bound.rows[0]?.hour ?? to - 1
    const { rows }: { readonly rows: readonly HourlyRow[] } = await db.query<HourlyRow>(page, [
      after.hour,
      sqlInstant(upTo),
      organizationId,
      after.organization,
      after.key,
      select,
      pageSize,
      ...narrowed.values,
    ])
    for (const row of rows) yield hourlyRowOf(row)
    const last = rows.at(-1)
    if (last !== undefined && rows.length === pageSize)
      after = { hour: sqlInstant(last.hour), organization: last.organization_id, key: last.key }
    else if (isLast) return
    else after = { hour: sqlInstant(upTo + 1), organization: FIRST_ID, key: FIRST_ID }
  }
}

function hourlyRowOf(row: HourlyRow): ExportRow {
  const rate = parseRate(row.rate, 1)
  const { start, end } = hourOf(row.hour)
  return {
    kind: 'usage',
    ...chargeSubjectOf(row),
    organizationName: row.name,
    currency: row.currency,
    month: row.month,
    start,
    end,
    rate: typeof rate === 'bigint' ? rate : null,
    quantity: BigInt(row.quantity),
    amount: BigInt(row.amount_nano),
    recordCount: row.record_count,
    corrects: null,
    description: '',
    invoice: row.number,
  }
}
