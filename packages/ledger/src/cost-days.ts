import type { Queryable } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'

const IDENTITY = 'organization_id, auth_id, user_id, group_id, resource_id, model'
const USED_BY_SOMEBODY = "organization_id is not null and state <> 'unattributed'"

/** Rows of cost_day from hours in [`$2`, `$3`), all of the day `$1`. */
const COSTS = `
select $1::date as day, ${IDENTITY}, meter, price_sequence, rate, sum(quantity) as quantity, sum(amount_nano) as amount_nano
from charge where hour >= $2::timestamptz and hour < $3::timestamptz
group by ${IDENTITY}, meter, price_sequence, rate
union all
select $1::date, ${IDENTITY}, meter, price_sequence, null, sum(quantity), 0
from period_quantity where hour >= $2::timestamptz and hour < $3::timestamptz
group by ${IDENTITY}, meter, price_sequence`

const USAGE = `
select $1::date as day, ${IDENTITY}, sum(record_count)::bigint as record_count,
  coalesce(sum(record_count) filter (where state in ('unpriced', 'unknown')), 0)::bigint as held_count,
  min(first_instant) as first_instant, max(last_instant) as last_instant
from usage_hour where hour >= $2::timestamptz and hour < $3::timestamptz and ${USED_BY_SOMEBODY}
group by ${IDENTITY}`

const CHARGES = `
select day, organization_id, model, auth_id, meter, rate, sum(quantity), sum(amount_nano)
from cost_day where day = $1::date and rate is not null group by day, organization_id, model, auth_id, meter, rate`

/** Makes the sums of a UTC day from its hours, instead of those that were there. The caller has excluded all who rate hours of it. */
export async function buildDay(tx: Queryable, { day, start, end }: { readonly day: string } & Period): Promise<void> {
  const values = [day, formatInstant(start), formatInstant(end)]
  for (const table of ['charge_day', 'cost_day', 'usage_day']) await tx.query(`delete from ${table} where day = $1::date`, [day])
  await tx.query(
    `insert into cost_day (day, ${IDENTITY}, meter, price_sequence, rate, quantity, amount_nano) select * from (${COSTS}) sums`,
    values,
  )
  // From those sums: there are a hundredth as many as charges.
  await tx.query(`insert into charge_day (day, organization_id, model, auth_id, meter, rate, quantity, amount_nano) ${CHARGES}`, [day])
  await tx.query(
    `insert into usage_day (day, ${IDENTITY}, record_count, held_count, first_instant, last_instant) select * from (${USAGE}) sums`,
    values,
  )
  await tx.query('insert into charge_day_built (day) values ($1::date) on conflict do nothing', [day])
  await tx.query('insert into cost_day_built (day) values ($1::date) on conflict do nothing', [day])
}

export type DayTable = 'charge_day' | 'cost_day' | 'usage_day'

/** By table: what its rows of built days have to be, from hours and with days. Rows that are only on one side are wrong. */
const SOURCES: Readonly<Record<DayTable, { readonly built: string; readonly columns: string; readonly hours: string }>> = {
  charge_day: {
    built: 'charge_day_built',
    columns: 'organization_id, model, auth_id, meter, rate, quantity, amount_nano',
    hours: `select day, organization_id, model, auth_id, meter, rate, sum(quantity), sum(amount_nano)
      from (select (hour at time zone 'UTC')::date as day, * from charge where hour >= $1::timestamptz and hour < $2::timestamptz) h group by 1, 2, 3, 4, 5, 6`,
  },
  cost_day: {
    built: 'cost_day_built',
    columns: `${IDENTITY}, meter, price_sequence, rate, quantity, amount_nano`,
    hours: `select day, ${IDENTITY}, meter, price_sequence, rate, sum(quantity), sum(amount_nano)
      from (select (hour at time zone 'UTC')::date as day, ${IDENTITY}, meter, price_sequence, rate, quantity, amount_nano from charge
        where hour >= $1::timestamptz and hour < $2::timestamptz
        union all select (hour at time zone 'UTC')::date, ${IDENTITY}, meter, price_sequence, null, quantity, 0 from period_quantity
        where hour >= $1::timestamptz and hour < $2::timestamptz) h
      group by day, ${IDENTITY}, meter, price_sequence, rate`,
  },
  usage_day: {
    built: 'cost_day_built',
    columns: `${IDENTITY}, record_count, held_count, first_instant, last_instant`,
    hours: `select day, ${IDENTITY}, sum(record_count)::bigint, coalesce(sum(record_count) filter (where state in ('unpriced', 'unknown')), 0)::bigint,
        min(first_instant), max(last_instant)
      from (select (hour at time zone 'UTC')::date as day, * from usage_hour
        where hour >= $1::timestamptz and hour < $2::timestamptz and ${USED_BY_SOMEBODY}) h
      group by day, ${IDENTITY}`,
  },
}

export type WrongDay = { readonly day: Instant; readonly table: DayTable }

/** Days of a period whose sums are not those of their hours: always none. */
export async function findWrongDays(tx: Queryable, period: Period): Promise<readonly WrongDay[]> {
  const wrong: WrongDay[] = []
  for (const table of ['charge_day', 'cost_day', 'usage_day'] as const) {
    const { built, columns, hours } = SOURCES[table]
    const { rows } = await tx.query<{ at: number }>(
      `with hours as (select * from (${hours}) h where day in (select day from ${built})),
         days as (select day, ${columns} from ${table}
           where day >= ($1::timestamptz at time zone 'UTC')::date and day < ($2::timestamptz at time zone 'UTC')::date)
       select distinct day::timestamp at time zone 'UTC' as at
       from ((table hours except all table days) union all (table days except all table hours)) d order by 1`,
      [formatInstant(period.start), formatInstant(period.end)],
    )
    wrong.push(...rows.map(({ at }) => ({ day: at, table })))
  }
  return wrong
}
