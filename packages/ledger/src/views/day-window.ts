import type { Instant, Period } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'

const DAY_MS = 86_400_000
const DAY = /^(\d{4})-(\d\d)-(\d\d)$/

/** Whole UTC days, both ends inclusive, `2026-11-01`: how people say a period (R22). */
export type DayWindow = { readonly from: string; readonly to: string }

/** Days of a window at most: a leap year and a day, so that a year can be compared with the one before. */
export const WINDOW_DAYS_MAX = 367

/** Days from here on, and before there, can have records: see record-check.ts. */
const [FIRST, END] = [0, Date.UTC(2200, 0, 1)]

/** The start of a UTC day from 1970 to 2199; `undefined` for what is none: `2026-02-30`, a time, another calendar. */
export function parseDay(text: string): Instant | undefined {
  const [, year = '', month = '', day = ''] = DAY.exec(text) ?? []
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day))
  // The calendar normalizes: 30 February is 2 March. The years 0 to 99 are taken for 1900 to 1999.
  return year !== '' && at >= FIRST && at < END && dayText(at) === text ? at : undefined
}

/** The UTC day of an instant, `2026-11-22`. */
export function dayText(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** The half-open period of a window. @throws {LedgerInputError} when it is none, or longer than `daysMax`, by default {@link WINDOW_DAYS_MAX} */
export function periodOfDays({ from, to }: DayWindow, { daysMax = WINDOW_DAYS_MAX }: { readonly daysMax?: number } = {}): Period {
  const [start, last] = [parseDay(from), parseDay(to)]
  if (start === undefined || last === undefined) {
    throw new LedgerInputError(`Cannot read the days ${JSON.stringify(from)} to ${JSON.stringify(to)}`, {
      hint: 'Write both as 2026-11-22: UTC days, both inclusive.',
    })
  }
  if (start > last) throw new LedgerInputError(`Cannot read the days ${from} to ${to}: the first comes after the last`)
  const end = last + DAY_MS
  if (end - start > daysMax * DAY_MS) {
    throw new LedgerInputError(`Cannot read the days ${from} to ${to}: more than ${daysMax} of them`, {
      hint: 'Ask for a shorter time.',
    })
  }
  return { start, end }
}

/** Every day of a period of whole days, in order. UTC days have no daylight saving: each is 24 hours. */
export function daysOf({ start, end }: Period): readonly Period[] {
  return Array.from({ length: (end - start) / DAY_MS }, (_, index) => ({
    start: start + index * DAY_MS,
    end: start + (index + 1) * DAY_MS,
  }))
}

/** As many days, right before. */
export function windowBefore(window: DayWindow): DayWindow {
  const { start, end } = periodOfDays(window)
  return { from: dayText(start - (end - start)), to: dayText(start - DAY_MS) }
}

/** Months, as their first days, whose lines of the whole month are dated on a day of a period. */
export type DatedMonths = ReadonlyMap<string, string>

/**
 * On which day each month's lines of the whole month (tiers, minimums, what corrects earlier months) are shown: its last one, or today while it
 * lasts, so that what is shown of a month until today is its statement as it stands. Only those that fall into the period.
 */
export function monthsDatedIn({ start, end }: Period, today: Instant): DatedMonths {
  const found = new Map<string, string>()
  const first = new Date(start)
  for (let index = 0; ; index += 1) {
    const [year, month] = [first.getUTCFullYear(), first.getUTCMonth() + index]
    const monthStart = Date.UTC(year, month, 1)
    if (monthStart >= end) return found
    const last = Date.UTC(year, month + 1, 1) - DAY_MS
    const day = monthStart <= today && today < last ? Math.floor(today / DAY_MS) * DAY_MS : last
    if (day >= start && day < end) found.set(dayText(monthStart), dayText(day))
  }
}
