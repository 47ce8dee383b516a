import type { Queryable } from '@ascribe/postgres'
import { divideHalfAwayFromZero } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { sqlInstant } from './instants.ts'
import type { DayTable } from './cost-days.ts'
import { monthOfInstant } from './periods.ts'
import type { Fate } from './recount.ts'
import { bitsOfDigest, digestOfRecord } from './records-digest.ts'
import { storedRate } from './stored-rate.ts'

/**
 * A row that should be there and is not, or the other way round. `row` is readable text: one row of the table; of `charge` in a closed month
 * with its adjustments. `hour` is the first one of the month where a line of the whole month differs.
 */
export type RatingDifference = {
  readonly hour: Instant
  readonly table: 'charge' | 'provider_charge' | DayTable | 'usage_hour' | 'period_quantity' | 'statement_line' | 'adjustment'
  readonly kind: 'missing' | 'unexpected'
  readonly row: string
}

const NANO_PER_RATE_UNIT = 10n ** 9n

type Covered = { quantity: bigint; count: bigint; digest: bigint }
type State = { readonly identity: readonly unknown[]; readonly sums: Map<string, bigint>; count: bigint }
export type Charged = { readonly identity: readonly unknown[]; readonly fate: Fate; readonly meters: Map<string, Covered> }

/** What the records of an hour come to, counted one by one. */
export type HourRecount = { readonly hour: Instant; readonly charged: Map<string, Charged>; readonly states: Map<string, State> }

export function createHourRecount(hour: Instant): HourRecount {
  return { hour, charged: new Map(), states: new Map() }
}

export function addToHour(hour: HourRecount, record: UsageRecord, fate: Fate): void {
  const used = Object.entries(record.meters).filter(([, quantity]) => quantity > 0)
  const { organizationId, userId, groupId, model, baseModel, price } = fate
  const identity = [organizationId, record.authId, userId, groupId, record.resourceId, model, baseModel, price?.sequence ?? null]
  const claimed = fate.state === 'unattributed' ? (record.claimedOrganizationId ?? null) : null
  const meters = used.map(([meter]) => meter).toSorted()
  const state = hour.states.getOrInsertComputed(JSON.stringify([fate.state, claimed, identity, meters]), () => ({
    identity: [fate.state, claimed, ...identity],
    sums: new Map(),
    count: 0n,
  }))
  state.count += 1n
  for (const [meter, quantity] of used) state.sums.set(meter, (state.sums.get(meter) ?? 0n) + BigInt(quantity))
  if (price === undefined) return
  const charged = hour.charged.getOrInsertComputed(JSON.stringify(identity), () => ({ identity, fate, meters: new Map<string, Covered>() }))
  const digest = digestOfRecord(record.eventId)
  for (const [meter, quantity] of used) {
    const covered = charged.meters.getOrInsertComputed(meter, () => ({ quantity: 0n, count: 0n, digest: 0n }))
    covered.quantity += BigInt(quantity)
    covered.count += 1n
    covered.digest ^= digest
  }
}

/** What a charged quantity costs by the hour; `undefined` when the total of the month prices it. */
export function hourlyPrice(fate: Fate, meter: string, quantity: bigint): { readonly rate: bigint; readonly amount: bigint } | undefined {
  const rate = fate.price?.rates.get(meter)
  if (typeof rate !== 'bigint') return undefined
  return { rate, amount: divideHalfAwayFromZero(quantity * rate, NANO_PER_RATE_UNIT) }
}

/** What a quantity comes to that somebody else bills. */
function providerPrice(fate: Fate, meter: string, quantity: bigint): { readonly rate: bigint; readonly amount: bigint } | undefined {
  const price = fate.price?.rates.get(meter)
  if (typeof price !== 'object' || price.kind !== 'provider') return undefined
  return { rate: price.rate, amount: divideHalfAwayFromZero(quantity * price.rate, NANO_PER_RATE_UNIT) }
}

/** Compares an hour with what is stored of it. */
export async function compareHour(tx: Queryable, hour: HourRecount): Promise<readonly RatingDifference[]> {
  const at = hour.hour
  const { charges, period, memos } = expectedCharges(hour)
  return [
    ...differencesOf({ hour: at, table: 'charge' }, { expected: charges, stored: await storedCharges(tx, at) }),
    ...differencesOf({ hour: at, table: 'provider_charge' }, { expected: memos, stored: await storedMemos(tx, at) }),
    ...differencesOf({ hour: at, table: 'period_quantity' }, { expected: period, stored: await storedQuantities(tx, at) }),
    ...differencesOf({ hour: at, table: 'usage_hour' }, { expected: expectedStates(hour), stored: await storedStates(tx, at) }),
  ]
}

type Where = Pick<RatingDifference, 'hour' | 'table'>

export function differencesOf(
  where: Where,
  { expected, stored }: { readonly expected: readonly string[]; readonly stored: readonly string[] },
): readonly RatingDifference[] {
  const found = new Map<string, number>()
  for (const row of stored) found.set(row, (found.get(row) ?? 0) + 1)
  const missing = expected.filter((row) => {
    const count = found.get(row) ?? 0
    found.set(row, count - 1)
    return count < 1
  })
  // More than once counts as well: a row that is there twice is unexpected once.
  const unexpected = [...found].flatMap(([row, count]) => Array.from({ length: Math.max(count, 0) }, () => row))
  return [
    ...missing.map((row) => ({ ...where, kind: 'missing', row }) as const),
    ...unexpected.map((row) => ({ ...where, kind: 'unexpected', row }) as const),
  ]
}

type ExpectedRows = { readonly charges: readonly string[]; readonly period: readonly string[]; readonly memos: readonly string[] }

function expectedCharges(hour: HourRecount): ExpectedRows {
  const charges: string[] = []
  const memos: string[] = []
  const period: string[] = []
  for (const { identity, fate, meters } of hour.charged.values()) {
    for (const [meter, { quantity, count, digest }] of meters) {
      const price = hourlyPrice(fate, meter, quantity)
      const covers = [quantity, count, bitsOfDigest(digest)]
      const memo = providerPrice(fate, meter, quantity)
      if (memo !== undefined) memos.push(rowText([...identity, meter, ...covers, memo.rate, memo.amount]))
      else if (price === undefined) period.push(rowText([...identity, meter, ...covers]))
      else charges.push(rowText([...identity, meter, ...covers, price.rate, price.amount]))
    }
  }
  return { charges, period, memos }
}

function expectedStates(hour: HourRecount): readonly string[] {
  return [...hour.states.values()].map(({ identity, sums, count }) => rowText([...identity, metersText([...sums]), count]))
}

const IDENTITY = 'organization_id, auth_id, user_id, group_id, resource_id, model, base_model, price_sequence, meter'
const COVERS = 'quantity, record_count, records_digest'

// What an hour was charged and adjusted. What was taken back entirely is not there any more.
const CHARGES = `
select ${IDENTITY}, sum(quantity) as quantity, sum(record_count)::bigint as record_count, bit_xor(records_digest)::text as records_digest,
  rate, sum(amount_nano) as amount_nano
from (
  select ${IDENTITY}, ${COVERS}, rate, amount_nano from charge where hour = $1::timestamptz
  union all
  select ${IDENTITY}, ${COVERS}, rate, amount_nano from adjustment where month = $2::date and hour = $1::timestamptz
) booked
group by ${IDENTITY}, rate
having sum(quantity) <> 0 or sum(amount_nano) <> 0 or sum(record_count) <> 0`

async function storedCharges(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows: doubled } = await tx.query<{ row: string }>(
    `select min(c::text) as row from charge c where hour = $1::timestamptz group by ${IDENTITY} having count(*) > 1`,
    [sqlInstant(hour)],
  )
  const { rows } = await tx.query<Record<string, unknown>>(CHARGES, [sqlInstant(hour), `${monthOfInstant(hour)}-01`])
  return [
    ...rows.map((row) => rowText(Object.values({ ...row, rate: storedRate(String(row['rate'])) }))),
    ...doubled.map(({ row }) => `more than once: ${row}`),
  ]
}

async function storedMemos(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows } = await tx.query<Record<string, unknown>>(
    `select ${IDENTITY}, quantity, record_count, records_digest::text as records_digest, rate, amount_nano
     from provider_charge where hour = $1::timestamptz`,
    [sqlInstant(hour)],
  )
  return rows.map((row) => rowText(Object.values({ ...row, rate: storedRate(String(row['rate'])) })))
}

async function storedQuantities(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows } = await tx.query<Record<string, unknown>>(
    `select ${IDENTITY}, quantity, record_count, records_digest::text as records_digest from period_quantity where hour = $1::timestamptz`,
    [sqlInstant(hour)],
  )
  return rows.map((row) => rowText(Object.values(row)))
}

async function storedStates(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows } = await tx.query<Record<string, unknown> & { meters: Readonly<Record<string, string>> }>(
    `select state, claimed_organization_id, organization_id, auth_id, user_id, group_id, resource_id, model, base_model, price_sequence,
       meters, record_count
     from usage_hour where hour = $1::timestamptz`,
    [sqlInstant(hour)],
  )
  return rows.map((row) => rowText(Object.values({ ...row, meters: metersText(Object.entries(row.meters)) })))
}

function metersText(meters: readonly (readonly [string, unknown])[]): string {
  return meters
    .map(([meter, quantity]) => `${meter}=${String(quantity)}`)
    .toSorted()
    .join(' ')
}

function rowText(values: readonly unknown[]): string {
  return JSON.stringify(values.map((value) => (typeof value === 'bigint' ? String(value) : value)))
}
