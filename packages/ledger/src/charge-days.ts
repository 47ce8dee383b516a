import type { Database, Queryable } from '@ascribe/postgres'
import { dayOf, formatInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { buildDay } from './cost-days.ts'

// The sums of a day, apart from its hours: "ascd" in ASCII, see locks.ts.
const DAY_CLASS = 0x61736364
const DAY_MS = 86_400_000

const dayText = (at: Instant): string => formatInstant(dayOf(at).start).slice(0, 10)
const dayKey = (at: Instant): readonly number[] => [DAY_CLASS, Math.floor(at / DAY_MS)]

/**
 * Says that this transaction changes charges or usage of an hour: the sums of its day are gone with it (those of cost_day and usage_day by
 * a trigger), and made again later. Call it before the change. Raters of other hours of the day do the same at the same time; who makes sums waits for all of them, and they for him.
 */
export async function forgetChargeDay(tx: Queryable, hour: Instant): Promise<void> {
  // A statement of its own: what comes after sees the sums that whoever held the lock has made.
  await tx.query('select pg_advisory_xact_lock_shared($1::integer, $2::integer)', dayKey(hour))
  await tx.query(
    `with marked as (insert into charge_day_mark (day) values ($1::date)),
       forgotten as (delete from charge_day_built where day = $1::date returning day)
     delete from charge_day d using forgotten where d.day = forgotten.day`,
    [dayText(hour)],
  )
}

/** Days at most that one call sums: the rest comes with the next. */
const DAYS_MAX = 100

/** Sums days that are over, whose charges have changed since, and of which no hour waits to be rated. One transaction a day. */
export async function sumChargeDays(db: Database, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
  const { rows } = await db.query<{ at: number }>(
    `select distinct day::timestamp at time zone 'UTC' as at from charge_day_mark m
     where day < (now() at time zone 'UTC')::date and not exists (
       select from dirty_hour h where h.hour >= m.day::timestamp at time zone 'UTC' and h.hour < (m.day + 1)::timestamp at time zone 'UTC')
     order by at limit ${DAYS_MAX}`,
  )
  for (const { at } of rows) {
    if (options.signal?.aborted === true) return
    await db.transaction((tx) => sumDay(tx, at))
  }
}

async function sumDay(tx: Queryable, at: Instant): Promise<void> {
  const day = dayText(at)
  const { rows: locked } = await tx.query<{ locked: boolean }>(
    'select pg_try_advisory_xact_lock($1::integer, $2::integer) as locked',
    dayKey(at),
  )
  // Somebody rates an hour of it, or sums it: there will be a mark, or there is none any more.
  if (locked[0]?.locked !== true) return
  const { rows: marks } = await tx.query<{ mark: bigint }>('select mark from charge_day_mark where day = $1::date', [day])
  if (marks.length === 0) return
  await buildDay(tx, { day, start: at, end: at + DAY_MS })
  await tx.query('delete from charge_day_mark where day = $1::date and mark = any($2::bigint[])', [day, marks.map(({ mark }) => mark)])
}

/**
 * SQL that gives, as `t`, charges of the organization `$1` in the period [`$2`, `$3`) of whole UTC days: those of days that are summed as one row each, of
 * others as one a charge. Sums over it are the sums over `charge`. Indexes charge_day_organization and charge_organization.
 */
export const CHARGES_BY_DAY = `(
  select model, auth_id, meter, rate, quantity, amount_nano from charge_day
  where organization_id = $1::uuid and day >= ($2::timestamptz at time zone 'UTC')::date and day < ($3::timestamptz at time zone 'UTC')::date
  union all
  select c.model, c.auth_id, c.meter, c.rate, c.quantity, c.amount_nano
  from generate_series($2::timestamptz at time zone 'UTC', $3::timestamptz at time zone 'UTC' - interval '1 day', interval '1 day') d (day)
  cross join lateral (
    select model, auth_id, meter, rate, quantity, amount_nano from charge
    where organization_id = $1::uuid and hour >= d.day at time zone 'UTC' and hour < (d.day + interval '1 day') at time zone 'UTC'
  ) c
  where not exists (select from charge_day_built b where b.day = d.day::date)
) t`
