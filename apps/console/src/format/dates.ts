import { formatInstant, parseInstant } from '@ascribe/units'

/*
 * Dates as people read them, always UTC. Months have names here and not from `Intl`: what is shown depends on neither the machine's zone nor its
 * language data (R22), and a link shows everybody the same days.
 */

const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const DAY = /^(\d{4})-(\d\d)-(\d\d)$/

/** A UTC day as the API writes it, `2026-11-22`. */
export type Day = string

/** The start of a day; `undefined` for what is none: `2026-02-30`, a time. */
export function parseDay(text: string): number | undefined {
  const [, year = '', month = '', date = ''] = DAY.exec(text) ?? []
  if (year === '' || Number(year) < 1970) return undefined
  const at = Date.UTC(Number(year), Number(month) - 1, Number(date))
  return dayOfInstant(at) === text ? at : undefined
}

/** The UTC day of an instant. */
export function dayOfInstant(at: number): Day {
  return new Date(at).toISOString().slice(0, 10)
}

/** A day so many days later, or earlier. */
export function addDays(day: Day, count: number): Day {
  return dayOfInstant((parseDay(day) ?? 0) + count * DAY_MS)
}

/** Days from one to another, both counted. */
export function daysBetween(from: Day, to: Day): number {
  return Math.round(((parseDay(to) ?? 0) - (parseDay(from) ?? 0)) / DAY_MS) + 1
}

/** Every day of a range, both ends included. */
export function daysOfRange(from: Day, to: Day): readonly Day[] {
  return Array.from({ length: Math.max(0, daysBetween(from, to)) }, (_, index) => addDays(from, index))
}

/** First and last day of the month of a day. */
export function monthRange(day: Day): { readonly from: Day; readonly to: Day } {
  const at = new Date(parseDay(day) ?? 0)
  const end = Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) - DAY_MS
  return { from: `${day.slice(0, 7)}-01`, to: dayOfInstant(end) }
}

type Parts = { readonly year: string; readonly month: string; readonly date: string; readonly weekday: string }

function partsOf(day: Day): Parts {
  const at = new Date(parseDay(day) ?? 0)
  return {
    year: day.slice(0, 4),
    month: MONTHS[at.getUTCMonth()] ?? '',
    date: String(at.getUTCDate()),
    weekday: WEEKDAYS[at.getUTCDay()] ?? '',
  }
}

/** `22 Nov 2026`. */
export function formatDay(day: Day): string {
  const { date, month, year } = partsOf(day)
  return `${date} ${month} ${year}`
}

/** `22 Nov`, for axes and sentences that say the year elsewhere. */
export function formatDayShort(day: Day): string {
  const { date, month } = partsOf(day)
  return `${date} ${month}`
}

/** `Sat 14 Nov 2026 (UTC)`, for a tooltip. */
export function formatDayLong(day: Day): string {
  return `${partsOf(day).weekday} ${formatDay(day)} (UTC)`
}

/** `Nov 2026`, of a day or a month `2026-11`. */
export function formatMonth(month: string): string {
  const { month: name, year } = partsOf(`${month.slice(0, 7)}-01`)
  return `${name} ${year}`
}

/** Both ends included: `1 – 30 Nov 2026`, `28 Oct – 3 Nov 2026`, `28 Dec 2025 – 3 Jan 2026`, `22 Nov 2026`. */
export function formatRangeShort(from: Day, to: Day): string {
  if (from === to) return formatDay(from)
  const [first, last] = [partsOf(from), partsOf(to)]
  if (first.year !== last.year) return `${formatDay(from)} – ${formatDay(to)}`
  if (first.month !== last.month) return `${formatDayShort(from)} – ${formatDay(to)}`
  return `${first.date} – ${formatDay(to)}`
}

/** The same, with the zone: `1 – 30 Nov 2026 (UTC)`. */
export function formatRange(from: Day, to: Day): string {
  return `${formatRangeShort(from, to)} (UTC)`
}

/** `14:05 UTC` of an instant, RFC 3339. */
export function formatTime(instant: string): string {
  const at = parseInstant(instant)
  return at === undefined ? instant : `${formatInstant(at).slice(11, 16)} UTC`
}

/** `14:03:22.114`, for rows of records. */
export function formatTimeExact(at: number): string {
  return new Date(at).toISOString().slice(11, 23)
}

/** `22 Nov 2026, 14:05 UTC`. */
export function formatInstantLong(instant: string): string {
  const at = parseInstant(instant)
  return at === undefined ? instant : `${formatDay(dayOfInstant(at))}, ${formatTime(instant)}`
}

/** The same instant where the reader is, for a hint; the machine's own zone and words. */
export function formatLocalHint(instant: string): string {
  const at = parseInstant(instant)
  return at === undefined ? '' : `${new Date(at).toLocaleString()} (your time)`
}

/** How long ago, in whole units: `2 min ago`, `just now`. */
export function formatAgo(instant: string, now: number): string {
  const at = parseInstant(instant)
  if (at === undefined) return instant
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ago` : formatDay(dayOfInstant(at))
}
