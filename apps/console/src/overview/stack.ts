import type { Day } from '../format/dates.ts'
import type { Breakdown, Series } from './breakdown.ts'

/** More colours side by side are not told apart. */
export const STACKED_MAX = 8

/** Stands for all other keys where keys are listed. No key of the ledger holds NUL. */
export const OTHER_KEY = '\0'

/** A part of a day's column. Heights are values; where they stand is the chart's to say. */
export type Segment = {
  /** `undefined`: all other keys together. */
  readonly key: string | undefined
  readonly value: bigint
  /** Where it begins and ends, in the unit of values; below zero for what takes back. */
  readonly start: bigint
  readonly end: bigint
}

export type Column = {
  readonly day: Day
  /** All of the day, hidden keys too. */
  readonly total: bigint
  /** From the axis outwards. Nothing that is zero. */
  readonly segments: readonly Segment[]
  /** How far it reaches up and down. */
  readonly top: bigint
  readonly bottom: bigint
}

export type Stack = {
  /** Those with a colour of their own, largest first; the largest is drawn at the bottom of every column. */
  readonly shown: readonly Series[]
  /** The keys behind "Other", largest first. */
  readonly others: readonly Series[]
  readonly columns: readonly Column[]
  readonly top: bigint
  readonly bottom: bigint
}

/**
 * Stacks a breakdown: the largest keys of the range in one order on all days, the rest as one on top. What is below zero stacks under the axis. The
 * rest of a day is its total less what is shown, so that a column is exactly its day whatever was read of the rest.
 */
export function stackOf(breakdown: Breakdown, { hidden }: { readonly hidden: ReadonlySet<string> }): Stack {
  const ranked = breakdown.series.filter(({ byDay, total }) => byDay !== undefined || total === 0n)
  const largest = largestBySize(ranked).slice(0, STACKED_MAX)
  const own = new Set(largest.map(({ key }) => key))
  const shown = breakdown.series.filter(({ key }) => own.has(key))
  const others = breakdown.series.filter(({ key }) => !own.has(key))
  const columns = breakdown.days.map((day): Column => {
    const total = breakdown.dayTotals.get(day) ?? 0n
    const values = shown.map(({ key, byDay }) => ({ key: key as string | undefined, value: byDay?.get(day) ?? 0n }))
    const rest = total - values.reduce((sum, { value }) => sum + value, 0n)
    const visible = values.filter(({ key }) => key === undefined || !hidden.has(key))
    return columnOf(day, total, hidden.has(OTHER_KEY) ? visible : [...visible, { key: undefined, value: rest }])
  })
  return {
    shown,
    others,
    columns,
    top: columns.reduce((most, { top }) => (top > most ? top : most), 0n),
    bottom: columns.reduce((least, { bottom }) => (bottom < least ? bottom : least), 0n),
  }
}

/** What takes much away is as large as what costs much. */
function largestBySize(series: readonly Series[]): readonly Series[] {
  const size = ({ total }: Series): bigint => (total < 0n ? -total : total)
  return series.toSorted((one, other) => {
    const [a, b] = [size(one), size(other)]
    return a > b ? -1 : a < b ? 1 : one.key < other.key ? -1 : 1
  })
}

function columnOf(day: Day, total: bigint, values: readonly { readonly key: string | undefined; readonly value: bigint }[]): Column {
  let [top, bottom] = [0n, 0n]
  const segments: Segment[] = []
  for (const { key, value } of values) {
    if (value === 0n) continue
    if (value > 0n) segments.push({ key, value, start: top, end: (top += value) })
    else segments.push({ key, value, start: bottom, end: (bottom += value) })
  }
  return { day, total, segments, top, bottom }
}

/** How complete a day is. `waiting`: its hours are not rated yet; `future`: it has not begun. */
export type DayState = 'full' | 'partial' | 'waiting' | 'future'

/**
 * How complete the data of a day are. A day without usage is full, and zero; a day that nobody has rated is not zero but unknown.
 * `ratedBefore`: every hour that began before it is rated; `now`: the reader's clock, for days that have not begun.
 */
export function dayStateOf(
  dayStart: number,
  { ratedBefore, now, hasData }: { readonly ratedBefore: number; readonly now: number; readonly hasData: boolean },
): DayState {
  const dayEnd = dayStart + 86_400_000
  // Until an hour is over more may come to it, rated or not.
  if (dayEnd <= ratedBefore && dayEnd <= now) return 'full'
  if (dayStart > now) return 'future'
  return dayStart < ratedBefore || hasData ? 'partial' : 'waiting'
}
