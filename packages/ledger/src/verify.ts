import type { Database, Queryable } from '@ascribe/postgres'
import { divideHalfAwayFromZero, hourOf, parseRate } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { sqlInstant } from './instants.ts'
import { createRecount, readRecords } from './recount.ts'
import type { Fate } from './recount.ts'
import { parseMonth } from './statement.ts'

/** A row that should be there and is not, or the other way round. `row` is readable text: one row of charge or usage_hour. */
export type RatingDifference = {
  readonly hour: Instant
  readonly table: 'charge' | 'usage_hour'
  readonly kind: 'missing' | 'unexpected'
  readonly row: string
}

export type Verification = {
  /** Records that were counted. */
  readonly records: number
  /** Hours that were compared. */
  readonly hours: number
  /** Hours that wait to be rated again, and were not compared. */
  readonly pendingHours: number
  /** At most 1000. */
  readonly differences: readonly RatingDifference[]
  readonly differenceCount: number
}

/** Differences that are reported one by one; beyond that only their number tells anything. */
const DIFFERENCES_MAX = 1000
const NANO_PER_RATE_UNIT = 10n ** 9n
/** Years 1970 to 2200: everything that can be stored. */
const ALWAYS: Period = { start: 0, end: Date.UTC(2200, 0, 1) }

type Sum = { readonly identity: readonly unknown[]; readonly sums: Map<string, bigint>; count: bigint }
type Hour = {
  readonly hour: Instant
  readonly charged: Map<string, Sum & { readonly fate: Fate; readonly counts: Map<string, bigint> }>
  readonly states: Map<string, Sum>
}

/**
 * Counts a month (default: everything) again from its records, one by one, and compares with what the rater has stored. Reads one
 * snapshot, changes nothing. @throws {LedgerInputError} for what is no month.
 */
export async function verifyRating(db: Database, options: { readonly month?: string } = {}): Promise<Verification> {
  const period = options.month === undefined ? ALWAYS : parseMonth(options.month)
  return db.transaction((tx) => verify(tx, period), { isolation: 'repeatable read', readOnly: true })
}

async function verify(tx: Queryable, period: Period): Promise<Verification> {
  const recount = await createRecount(tx)
  const stored = await readHours(tx, 'select hour from usage_hour union select hour from charge', period)
  const pending = await readHours(tx, 'select hour from dirty_hour', period)
  const differences: RatingDifference[] = []
  let [records, hours, differenceCount] = [0, 0, 0]

  async function close(hour: Hour): Promise<void> {
    stored.delete(hour.hour)
    if (pending.has(hour.hour)) return
    hours += 1
    for (const difference of await compare(tx, hour)) {
      differenceCount += 1
      if (differences.length < DIFFERENCES_MAX) differences.push(difference)
    }
  }

  let current: Hour | undefined
  for await (const record of readRecords(tx, period)) {
    const { start } = hourOf(record.startedAt)
    if (current !== undefined && current.hour !== start) await close(current)
    if (current?.hour !== start) current = { hour: start, charged: new Map(), states: new Map() }
    addTo(current, record, recount.fateOf(record))
    records += 1
  }
  if (current !== undefined) await close(current)
  // Hours that are rated and have no records.
  for (const hour of stored) await close({ hour, charged: new Map(), states: new Map() })
  return { records, hours, pendingHours: pending.size, differences, differenceCount }
}

async function readHours(tx: Queryable, source: string, period: Period): Promise<Set<Instant>> {
  const { rows } = await tx.query<{ hour: number }>(
    `select distinct hour from (${source}) s where hour >= $1::timestamptz and hour < $2::timestamptz order by hour`,
    [sqlInstant(period.start), sqlInstant(period.end)],
  )
  return new Set(rows.map(({ hour }) => hour))
}

function addTo(hour: Hour, record: UsageRecord, fate: Fate): void {
  const used = Object.entries(record.meters).filter(([, quantity]) => quantity > 0)
  const { organizationId, userId, model, baseModel, price } = fate
  const identity = [organizationId, record.authId, userId, record.resourceId, model, baseModel, price?.sequence ?? null]
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
  const charged = hour.charged.getOrInsertComputed(JSON.stringify(identity), () => ({
    identity,
    fate,
    sums: new Map(),
    counts: new Map(),
    count: 0n,
  }))
  for (const [meter, quantity] of used) {
    charged.sums.set(meter, (charged.sums.get(meter) ?? 0n) + BigInt(quantity))
    charged.counts.set(meter, (charged.counts.get(meter) ?? 0n) + 1n)
  }
}

async function compare(tx: Queryable, hour: Hour): Promise<readonly RatingDifference[]> {
  const at = hour.hour
  return [
    ...difference(at, 'charge', { expected: expectedCharges(hour), stored: await storedCharges(tx, at) }),
    ...difference(at, 'usage_hour', { expected: expectedStates(hour), stored: await storedStates(tx, at) }),
  ]
}

function difference(
  hour: Instant,
  table: RatingDifference['table'],
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
    ...missing.map((row) => ({ hour, table, kind: 'missing', row }) as const),
    ...unexpected.map((row) => ({ hour, table, kind: 'unexpected', row }) as const),
  ]
}

function expectedCharges(hour: Hour): readonly string[] {
  return [...hour.charged.values()].flatMap(({ identity, fate, sums, counts }) =>
    [...sums].map(([meter, quantity]) => {
      const rate = fate.price?.rates.get(meter) ?? 0n
      const amount = divideHalfAwayFromZero(quantity * rate, NANO_PER_RATE_UNIT)
      return rowText([...identity, meter, rate, quantity, amount, counts.get(meter)])
    }),
  )
}

function expectedStates(hour: Hour): readonly string[] {
  return [...hour.states.values()].map(({ identity, sums, count }) => rowText([...identity, metersText([...sums]), count]))
}

async function storedCharges(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows } = await tx.query<Record<string, unknown>>(
    `select organization_id, auth_id, user_id, resource_id, model, base_model, price_sequence, meter, rate, quantity, amount_nano, record_count
     from charge where hour = $1::timestamptz`,
    [sqlInstant(hour)],
  )
  return rows.map((row) => rowText(Object.values({ ...row, rate: parseRate(String(row['rate']), 1) })))
}

async function storedStates(tx: Queryable, hour: Instant): Promise<readonly string[]> {
  const { rows } = await tx.query<Record<string, unknown> & { meters: Readonly<Record<string, string>> }>(
    `select state, claimed_organization_id, organization_id, auth_id, user_id, resource_id, model, base_model, price_sequence, meters, record_count
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
