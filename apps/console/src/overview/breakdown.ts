import { daysOfRange } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'

/** One amount or quantity of a key on a day, in whole units (nano of a currency, tokens). */
export type Cell = { readonly day: Day; readonly key: string; readonly value: bigint }

/** What one key came to. */
export type Series = {
  readonly key: string
  readonly total: bigint
  /** Absent where there are too many keys to read each one's days; the days of the largest are always there. */
  readonly byDay: ReadonlyMap<Day, bigint> | undefined
}

/** A range by one dimension. Its parts add up to the whole, on each day and over all. */
export type Breakdown = {
  readonly days: readonly Day[]
  /** Largest first, ties by key. */
  readonly series: readonly Series[]
  readonly dayTotals: ReadonlyMap<Day, bigint>
  readonly total: bigint
}

/** Largest first; of two of a size the one whose key comes first, in the order of code units. */
function bySize(one: Series, other: Series): number {
  if (one.total !== other.total) return one.total > other.total ? -1 : 1
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0
}

/** Makes a breakdown of cells that are all there is. */
export function breakdownOf(range: { readonly from: Day; readonly to: Day }, cells: Iterable<Cell>): Breakdown {
  const byKey = new Map<string, { total: bigint; byDay: Map<Day, bigint> }>()
  const dayTotals = new Map<Day, bigint>()
  let total = 0n
  for (const { day, key, value } of cells) {
    let found = byKey.get(key)
    if (found === undefined) byKey.set(key, (found = { total: 0n, byDay: new Map() }))
    found.total += value
    found.byDay.set(day, (found.byDay.get(day) ?? 0n) + value)
    dayTotals.set(day, (dayTotals.get(day) ?? 0n) + value)
    total += value
  }
  const series = [...byKey].map(([key, found]): Series => ({ key, ...found })).toSorted(bySize)
  return { days: daysOfRange(range.from, range.to), series, dayTotals, total }
}

export type LargeParts = {
  /** Every key's total. */
  readonly totals: Iterable<{ readonly key: string; readonly value: bigint }>
  /** Every day's total. */
  readonly dayTotals: Iterable<{ readonly day: Day; readonly value: bigint }>
  /** Days of the largest keys only. */
  readonly cells: Iterable<Cell>
}

/** Makes a breakdown where keys times days are too many to read: the rest of a day is its total less the largest. */
export function largeBreakdownOf(range: { readonly from: Day; readonly to: Day }, parts: LargeParts): Breakdown {
  const days = new Map<string, Map<Day, bigint>>()
  for (const { day, key, value } of parts.cells) days.getOrInsertComputed(key, () => new Map<Day, bigint>()).set(day, value)
  const series: Series[] = []
  let total = 0n
  for (const { key, value } of parts.totals) {
    series.push({ key, total: value, byDay: days.get(key) })
    total += value
  }
  return {
    days: daysOfRange(range.from, range.to),
    series: series.toSorted(bySize),
    dayTotals: new Map([...parts.dayTotals].map(({ day, value }) => [day, value])),
    total,
  }
}

/** Running sums of the days, in order. */
export function cumulativeOf({ days, dayTotals }: Pick<Breakdown, 'days' | 'dayTotals'>): readonly bigint[] {
  let sum = 0n
  return days.map((day) => (sum += dayTotals.get(day) ?? 0n))
}
