import { addDays, daysOfRange, monthRange, parseDay } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'

export type Expected = { readonly expected: bigint; readonly low: bigint; readonly high: bigint }
/** A day to come: the month until its end, and the day by itself. */
export type ForecastDay = Expected & { readonly day: Day; readonly alone: Expected }

/** What the rest of a month is expected to come to. Never part of a total. */
export type Forecast = {
  /** The whole month: what is charged already, and what is expected. */
  readonly total: bigint
  /** Four of five months end between these two, if days go on as they did. */
  readonly low: bigint
  readonly high: bigint
  /** Of the days that are still to come, today's rest among them, for the chart; running sums from what is charged already. */
  readonly days: readonly ForecastDay[]
  /** Full days it was made from. */
  readonly from: number
}

/** Fewer say nothing of the week, and little of the month. */
export const HISTORY_DAYS_MIN = 14
/** Older days say less of the next ones. */
export const HISTORY_DAYS_MAX = 56
const WEEK = 7

/** The 90th percentile of the normal distribution, in 10^-4: a band between it and its mirror holds 80 %. */
const Z_80 = 12_816n
const Z_SCALE = 10_000n

export type ForecastInput = {
  /** Full days right before today, oldest first: a day without usage is zero. */
  readonly history: readonly bigint[]
  /** What is charged of this month until now, today's part among it. */
  readonly monthToDate: bigint
  /** What of that is today's. */
  readonly today: bigint
  readonly todayDay: Day
}

/**
 * Foresees what a month comes to. A day is expected to be as the mean of its weekday (from four weeks on; else of all days), and the band grows
 * with the square root of the days ahead, and with how few days the mean is of. Whole numbers throughout: the result is told in three digits, but
 * it begins from exact money. `undefined` with fewer than {@link HISTORY_DAYS_MIN} full days, and where nothing was used in them.
 */
export function forecastOf({ history, monthToDate, today, todayDay }: ForecastInput): Forecast | undefined {
  const known = history.slice(-HISTORY_DAYS_MAX)
  const count = known.length
  if (count < HISTORY_DAYS_MIN || known.every((value) => value === 0n)) return undefined
  const first = addDays(todayDay, -count)
  const expectedOn = weekdayMeans(known, first)
  const residuals = known.map((value, index) => value - expectedOn(addDays(first, index)))
  // As many means were taken as there are weekdays; each takes one freedom.
  const freedoms = BigInt(Math.max(1, count - (count >= 4 * WEEK ? WEEK : 1)))
  const variance = residuals.reduce((sum, each) => sum + each * each, 0n) / freedoms
  const ahead = daysOfRange(todayDay, monthRange(todayDay).to)
  let sum = monthToDate
  const days = ahead.map((day, index) => {
    const whole = expectedOn(day)
    sum += index === 0 ? max(0n, whole - today) : max(0n, whole)
    const reach = BigInt(index + 1)
    // Each day ahead by itself, and the mean, which is off for all of them alike.
    const spread = root(variance * reach + (variance * reach * reach) / BigInt(count))
    const band = (spread * Z_80) / Z_SCALE
    const alone = (root(variance + variance / BigInt(count)) * Z_80) / Z_SCALE
    return {
      day,
      expected: sum,
      low: max(monthToDate, sum - band),
      high: sum + band,
      alone: { expected: max(0n, whole), low: max(0n, whole - alone), high: max(0n, whole) + alone },
    }
  })
  const last = days.at(-1)
  return last === undefined ? undefined : { total: last.expected, low: last.low, high: last.high, days, from: count }
}

function weekdayMeans(values: readonly bigint[], first: Day): (day: Day) => bigint {
  const mean = (list: readonly bigint[]): bigint => list.reduce((sum, each) => sum + each, 0n) / BigInt(Math.max(1, list.length))
  const overall = mean(values)
  if (values.length < 4 * WEEK) return () => overall
  const start = (parseDay(first) ?? 0) / 86_400_000
  const means = Array.from({ length: WEEK }, (_, weekday) => mean(values.filter((__, index) => index % WEEK === weekday)))
  return (day) => means[((((parseDay(day) ?? 0) / 86_400_000 - start) % WEEK) + WEEK) % WEEK] ?? overall
}

const max = (one: bigint, other: bigint): bigint => (one > other ? one : other)

/** The whole part of a square root, by Newton's method. */
export function root(value: bigint): bigint {
  if (value < 2n) return value < 0n ? 0n : value
  let guess = 1n << BigInt(Math.ceil(value.toString(2).length / 2))
  for (;;) {
    const next = (guess + value / guess) / 2n
    if (next >= guess) return guess
    guess = next
  }
}
