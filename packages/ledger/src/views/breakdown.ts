import type { Database, Queryable } from '@ascribe/postgres'
import { formatRate } from '@ascribe/units'
import type { Instant, Nano, Period, Quantity } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { storedRate } from '../stored-rate.ts'
import { costSource, costValues } from './cost-source.ts'
import { withOpenLines } from './costs.ts'
import { daysOf, parseDay, periodOfDays } from './day-window.ts'
import type { DayWindow } from './day-window.ts'
import { NOWHERE, RESOURCE_JOIN } from './dimensions.ts'
import type { FamilyMember } from './family.ts'

/** What a charge of a day is of: what the reference's page calls a cluster and a price. */
export type DayCharge = {
  /** Midnight, UTC. */
  readonly day: Instant
  readonly organizationId: string
  /** Empty, as is the key, on a line of the whole month. */
  readonly resourceId: string
  readonly authId: string
  readonly region: string
  readonly category: DayCategory
  readonly model: string
  readonly meter: string
  readonly priceSequence: number
  /** Decimal; empty: the total of the month prices it. */
  readonly rate: string
  readonly quantity: Quantity
  readonly amount: Nano
  /** What its month's total prices: its amount, 0 here, is on lines of the month. */
  readonly byMonth: boolean
}

export type DayCategory = 'usage' | 'tier' | 'package' | 'included' | 'minimum' | 'commitment' | 'adjustment'

type Row = {
  readonly day: string
  readonly organization_id: string
  readonly resource_id: string
  readonly auth_id: string
  readonly region: string
  readonly category: DayCategory
  readonly model: string
  readonly meter: string
  readonly price_sequence: number
  readonly rate: string | null
  readonly quantity: string
  readonly amount: string
  readonly by_month: boolean
}

const BREAKDOWN = `
select to_char(t.at at time zone 'UTC', 'YYYY-MM-DD') as day, t.organization_id, t.resource_id, t.auth_id, t.category, t.model, t.meter,
  t.price_sequence, t.rate::text as rate, t.by_month, sum(t.quantity)::text as quantity, sum(t.amount_nano)::text as amount
from (${costSource('day')}) t
group by 1, t.organization_id, t.resource_id, t.auth_id, t.category, t.model, t.meter, t.price_sequence, t.rate, t.by_month`

/** Rows of one report at most, some 15 MB: a year of an organization with a thousand children would take the process's memory. */
const ROWS_MAX = 50_000

// A resource's place is asked for once a row of the result, of which there are fewer than charges.
const PLACED = `
select t.*, coalesce(nullif(g.region, ''), '${NOWHERE}') as region from (${BREAKDOWN}) t ${RESOURCE_JOIN}
order by day, organization_id, resource_id collate "C", auth_id collate "C", category, model collate "C", meter collate "C", price_sequence, rate
limit ${ROWS_MAX + 1}`

export type BreakdownQuery = { readonly family: readonly FamilyMember[]; readonly window: DayWindow; readonly now: Instant }

/**
 * Reads what each day of a window came to, in detail, for an organization and its children: the source of the reference's two reports. In order
 * of day and organization. @throws {LedgerInputError} for what is no window
 */
export async function readDayCharges(db: Database, { family, window, now }: BreakdownQuery): Promise<readonly DayCharge[]> {
  const organizationIds = family.map(({ id }) => id)
  const period = periodOfDays(window)
  return withOpenLines(db, { organizationIds, window, now }, async (tx: Queryable, lines, months) => {
    const { rows } = await tx.query<Row>(PLACED, [...costValues({ organizationIds, period, months, lines })])
    if (rows.length > ROWS_MAX) {
      throw new LedgerInputError(`Cannot report the days ${window.from} to ${window.to}: they have more than ${ROWS_MAX} rows`, {
        hint: 'Ask for fewer days, or for GET /v1/organizations/{id}/costs, which comes in pages.',
      })
    }
    // Rows come by day, and rates are few: both are read once.
    const [dayOf, rateOf] = [remembered((text) => parseDay(text) ?? Number.NaN), remembered((text) => formatRate(storedRate(text)))]
    return rows.map((row) => chargeOf(row, { day: dayOf(row.day), rate: row.rate === null ? '' : rateOf(row.rate) }))
  })
}

function remembered<Value>(compute: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>()
  return (text) => known.getOrInsertComputed(text, () => compute(text))
}

function chargeOf(row: Row, { day, rate }: { readonly day: Instant; readonly rate: string }): DayCharge {
  return {
    day,
    organizationId: row.organization_id,
    resourceId: row.resource_id,
    authId: row.auth_id,
    region: row.region,
    category: row.category,
    model: row.model,
    meter: row.meter,
    priceSequence: row.price_sequence,
    rate,
    quantity: BigInt(row.quantity),
    amount: BigInt(row.amount),
    byMonth: row.by_month,
  }
}

/** Every day of a window with its charges: dense, also where nothing was used. */
export function daysWithCharges(
  window: DayWindow,
  charges: readonly DayCharge[],
): readonly { readonly day: Period; readonly charges: readonly DayCharge[] }[] {
  const byDay = Map.groupBy(charges, ({ day }) => day)
  return daysOf(periodOfDays(window)).map((day) => ({ day, charges: byDay.get(day.start) ?? [] }))
}
