import { addDays, dayOfInstant, daysBetween, monthRange, parseDay } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import type { Comparison } from './state.ts'

export type Range = { readonly from: Day; readonly to: Day }

/** Days of a report at most; the API's bound. */
export const RANGE_DAYS_MAX = 367

export type Preset = Range & { readonly id: string; readonly label: string }

/** What people ask for most, in absolute days: a link that is opened next week shows the same. `today` is a UTC day. */
export function presetsOf(today: Day): readonly Preset[] {
  const month = monthRange(today)
  const last = monthRange(addDays(month.from, -1))
  const days = (count: number): Range => ({ from: addDays(today, 1 - count), to: today })
  return [
    { id: 'month', label: 'Month to date', from: month.from, to: today },
    { id: 'last-month', label: 'Last month', ...last },
    { id: '7', label: 'Last 7 days', ...days(7) },
    { id: '14', label: 'Last 14 days', ...days(14) },
    { id: '30', label: 'Last 30 days', ...days(30) },
    { id: '90', label: 'Last 90 days', ...days(90) },
    { id: 'year', label: 'Year to date', from: `${today.slice(0, 4)}-01-01`, to: today },
    { id: '365', label: 'Last 365 days', ...days(365) },
  ]
}

/** Which range is meant when none is named: this month until today. */
export function rangeOtherwise(today: Day): Range {
  return { from: monthRange(today).from, to: today }
}

export type RangeFault = 'none' | 'backwards' | 'too_long'

/** Whether two texts are a range that can be shown. */
export function checkRange(from: string, to: string): RangeFault | undefined {
  const [start, end] = [parseDay(from), parseDay(to)]
  if (start === undefined || end === undefined) return 'none'
  if (start > end) return 'backwards'
  return daysBetween(from, to) > RANGE_DAYS_MAX ? 'too_long' : undefined
}

function monthsBefore(day: Day, count: number): Day {
  const at = new Date(parseDay(day) ?? 0)
  return dayOfInstant(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - count, 1))
}

/** The same date in an earlier month; the last one of that month where it has none. */
function clampedTo(month: Day, date: number): Day {
  const { from, to } = monthRange(month)
  const day = addDays(from, date - 1)
  return day > to ? to : day
}

/**
 * What a range is compared with. `previous`: of whole months as many months before; of a month's first days the same days of the month before;
 * else as many days right before. `year`: the same days a year before.
 */
export function comparisonOf({ from, to }: Range, comparison: Comparison): Range | undefined {
  if (comparison === 'none') return undefined
  if (comparison === 'year') return { from: yearBefore(from), to: yearBefore(to) }
  if (from.endsWith('-01')) {
    const months = (Number(to.slice(0, 4)) - Number(from.slice(0, 4))) * 12 + Number(to.slice(5, 7)) - Number(from.slice(5, 7)) + 1
    if (monthRange(to).to === to) return { from: monthsBefore(from, months), to: addDays(from, -1) }
    if (months === 1) {
      const before = monthsBefore(from, 1)
      return { from: before, to: clampedTo(before, Number(to.slice(8))) }
    }
  }
  const count = daysBetween(from, to)
  return { from: addDays(from, -count), to: addDays(from, -1) }
}

function yearBefore(day: Day): Day {
  return clampedTo(`${String(Number(day.slice(0, 4)) - 1).padStart(4, '0')}${day.slice(4, 8)}01`, Number(day.slice(8)))
}

/** What a range is called on the first figure: its preset, or just a range. */
export function rangeName(range: Range, today: Day): string {
  return presetsOf(today).find(({ from, to }) => from === range.from && to === range.to)?.label ?? 'Total'
}
