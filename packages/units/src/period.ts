import type { Instant } from './instant.ts'

/** A period of time, `[start, end)`: `start` belongs to it, `end` to the next one. */
export type Period = { readonly start: Instant; readonly end: Instant }

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MONTH = /^([0-9]{4})-(0[1-9]|1[0-2])$/

/** Whether `at` lies in the period. */
export function contains(period: Period, at: Instant): boolean {
  return period.start <= at && at < period.end
}

/** The one hour that contains `at`. Every instant is in exactly one. */
export function hourOf(at: Instant): Period {
  return slot(at, HOUR_MS)
}

/** The last instant that RFC 3339 can write. */
const INSTANT_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** The one UTC day that contains `at`. */
export function dayOf(at: Instant): Period {
  return slot(at, DAY_MS)
}

/** The UTC calendar month that is written `2026-11`; `undefined` for any other text, and for the last one, whose end has no text: `9999-12`. */
export function monthOf(month: string): Period | undefined {
  const match = MONTH.exec(month)
  if (match === null) return undefined
  const [year, index] = [Number(match[1]), Number(match[2]) - 1]
  const end = startOfMonth(year, index + 1)
  return end > INSTANT_MAX ? undefined : { start: startOfMonth(year, index), end }
}

function slot(at: Instant, sizeMs: number): Period {
  // Not `at % sizeMs`: that truncates towards zero, and before 1970 gives the hour after.
  const start = Math.floor(at / sizeMs) * sizeMs
  return { start, end: start + sizeMs }
}

function startOfMonth(year: number, index: number): Instant {
  const date = new Date(0)
  // Carries a thirteenth month into the next year. Not `Date.UTC`, which takes the years 0 to 99 for 1900 to 1999.
  return date.setUTCFullYear(year, index, 1)
}
