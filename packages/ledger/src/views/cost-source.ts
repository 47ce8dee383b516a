import { sqlInstant } from '../instants.ts'
import { formatRate } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import type { DatedMonths } from './day-window.ts'
import type { OpenMonthLine } from './open-months.ts'
import { unseen } from './unseen.ts'

/** How finely time is told apart. Hours and days are UTC. */
export type Grain = 'hour' | 'day' | 'month' | 'total'

const CHARGE_COLUMNS = 'organization_id, auth_id, user_id, group_id, resource_id, model, meter, price_sequence, rate'
/** What only the total of a month prices has no rate. */
const QUANTITY_COLUMNS = 'organization_id, auth_id, user_id, group_id, resource_id, model, meter, price_sequence, null::numeric'

/** Parameters of {@link costSource}: organizations, the period, the months with lines in it, their days, and the lines of open ones. */
export const COST_PARAMETERS = 6
/** Parameters of {@link quantitySource} and {@link RECORD_SOURCE}: organizations, and the period. */
export const USAGE_PARAMETERS = 3

type CostValues = {
  readonly organizationIds: readonly string[]
  readonly period: Period
  readonly months: DatedMonths
  readonly lines: readonly OpenMonthLine[]
}

export function costValues({ organizationIds, period, months, lines }: CostValues): readonly unknown[] {
  const rows = lines.map(({ line, day }) => ({
    day,
    organization_id: line.organizationId,
    model: line.model,
    meter: line.meter,
    price_sequence: line.priceSequence,
    rate: formatRate(line.rate),
    category: line.kind,
    quantity: String(line.quantity),
    amount_nano: String(line.amount),
  }))
  return [...usageValues(organizationIds, period), [...months.keys()], [...months.values()], JSON.stringify(rows)]
}

export function usageValues(organizationIds: readonly string[], period: Period): readonly unknown[] {
  return [[...organizationIds], sqlInstant(period.start), sqlInstant(period.end)]
}

const IDS = unseen(1, 'uuid[]')
const START = unseen(2, 'timestamptz')
const END = unseen(3, 'timestamptz')
const MONTHS = unseen(4, 'date[]')
const MONTH_DAYS = unseen(5, 'date[]')
const LINES = unseen(6, 'json')

// The days of [$2, $3) that have no sums, as an array: of how many rows a function gives the planner guesses 1000, of an array 10, and only with
// that does it find that one plan is good for all windows (planning again each time cost 1.5 ms).
const NOT_SUMMED = `(
  select array_agg(d.day::date)
  from generate_series(${START} at time zone 'UTC', ${END} at time zone 'UTC' - interval '1 day', interval '1 day') d (day)
  where not exists (select from cost_day_built b where b.day = d.day::date))`

// A day that is summed is one row for each thing that is told apart; one that is not, as today, is one for each hour of it.
const CHARGED_BY_DAY = `
select day::timestamp at time zone 'UTC' as at, ${CHARGE_COLUMNS}, 'usage' as category, quantity, amount_nano, rate is null as by_month
from cost_day where organization_id = any(${IDS})
  and day >= (${START} at time zone 'UTC')::date and day < (${END} at time zone 'UTC')::date
union all
select d.day::timestamp at time zone 'UTC', ${CHARGE_COLUMNS}, 'usage', quantity, amount_nano, by_month
from unnest(${NOT_SUMMED}) d (day)
cross join lateral (
  select ${CHARGE_COLUMNS}, quantity, amount_nano, false as by_month from charge
  where organization_id = any(${IDS}) and hour >= d.day::timestamp at time zone 'UTC' and hour < (d.day + interval '1 day') at time zone 'UTC'
  union all
  select ${QUANTITY_COLUMNS}, quantity, 0, true from period_quantity
  where organization_id = any(${IDS}) and hour >= d.day::timestamp at time zone 'UTC' and hour < (d.day + interval '1 day') at time zone 'UTC'
) c`

const CHARGED_BY_HOUR = `
select hour as at, ${CHARGE_COLUMNS}, 'usage' as category, quantity, amount_nano, false as by_month
from charge where organization_id = any(${IDS}) and hour >= ${START} and hour < ${END}
union all
select hour, ${QUANTITY_COLUMNS}, 'usage', quantity, 0, true
from period_quantity where organization_id = any(${IDS}) and hour >= ${START} and hour < ${END}`

// Indexes adjustment_booked and the key of statement_line.
const OF_MONTHS = `
select m.day::timestamp at time zone 'UTC' as at, ${CHARGE_COLUMNS}, 'adjustment' as category, quantity, amount_nano, false as by_month
from unnest(${MONTHS}, ${MONTH_DAYS}) m (month, day) join adjustment a on a.booked_month = m.month and a.organization_id = any(${IDS})
union all
select m.day::timestamp at time zone 'UTC', organization_id, '', null, null, '', model, meter, price_sequence, rate, kind, quantity, amount_nano, false
from unnest(${MONTHS}, ${MONTH_DAYS}) m (month, day) join statement_line s on s.month = m.month and s.organization_id = any(${IDS})`

const OF_OPEN_MONTHS = `
select day::timestamp at time zone 'UTC' as at, organization_id, '', null, null, '', model, meter, price_sequence, rate, category, quantity, amount_nano, false
from json_to_recordset(${LINES}) as l (day date, organization_id uuid, model text, meter text, price_sequence integer, rate numeric,
  category text, quantity numeric, amount_nano numeric)`

/**
 * SQL of everything that is charged to organizations in a period of whole days, as rows that add up to their statements: hourly charges on
 * their day, or hour; adjustments and lines of months on the day that the month is dated on. `by_month`: a quantity whose amount is on
 * lines of the month.
 */
export function costSource(grain: Grain): string {
  return `${grain === 'hour' ? CHARGED_BY_HOUR : CHARGED_BY_DAY} union all ${OF_MONTHS} union all ${OF_OPEN_MONTHS}`
}

/**
 * SQL of quantities that were used in a period, charged or priced by the month, as they are known now: corrections stand on the hour that they
 * correct, where costs have them in the month that they are booked in. Index adjustment_of_organization.
 */
export function quantitySource(grain: Grain): string {
  const at = grain === 'hour' ? 'hour' : "date_trunc('day', hour, 'UTC')"
  return `${grain === 'hour' ? CHARGED_BY_HOUR : CHARGED_BY_DAY}
union all
select ${at}, ${CHARGE_COLUMNS}, 'usage', quantity, amount_nano, false
from adjustment where organization_id = any(${IDS}) and month >= utc_month(${START}) and month <= utc_month(${END})
  and hour >= ${START} and hour < ${END}`
}

/** SQL of records of organizations in a period, by day: all that are theirs, held and free ones too. */
export const RECORD_SOURCE: Readonly<Record<'day' | 'hour', string>> = {
  day: `
select day::timestamp at time zone 'UTC' as at, organization_id, auth_id, user_id, group_id, resource_id, model, record_count, held_count, last_instant
from usage_day where organization_id = any(${IDS})
  and day >= (${START} at time zone 'UTC')::date and day < (${END} at time zone 'UTC')::date
union all
select d.day::timestamp at time zone 'UTC', organization_id, auth_id, user_id, group_id, resource_id, model, record_count,
  case when state in ('unpriced', 'unknown') then record_count else 0 end, last_instant
from unnest(${NOT_SUMMED}) d (day)
cross join lateral (
  select * from usage_hour
  where organization_id = any(${IDS}) and hour >= d.day::timestamp at time zone 'UTC' and hour < (d.day + interval '1 day') at time zone 'UTC'
    and state <> 'unattributed'
) u`,
  hour: `
select hour as at, organization_id, auth_id, user_id, group_id, resource_id, model, record_count,
  case when state in ('unpriced', 'unknown') then record_count else 0 end as held_count, last_instant
from usage_hour where organization_id = any(${IDS}) and hour >= ${START} and hour < ${END} and state <> 'unattributed'`,
}

/** SQL of the start of what `at` lies in, as text: `2026-11-22T13:00:00Z`, `2026-11-22`, `2026-11`, or nothing. */
export const GRAIN_SQL: Readonly<Record<Grain, string>> = {
  hour: `to_char(t.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24":00:00Z"')`,
  day: `to_char(t.at at time zone 'UTC', 'YYYY-MM-DD')`,
  month: `to_char(t.at at time zone 'UTC', 'YYYY-MM')`,
  total: `''`,
}
