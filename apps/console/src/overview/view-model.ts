import type { AsOf, Total } from '@ascribe/contract/reads'
import { divideHalfAwayFromZero } from '@ascribe/units'
import { monthRange, parseDay } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { formatAmount, formatExact, formatMoneyCompact, formatMoneyShort, meterWords, nanoOf } from '../format/money.ts'
import { formatCount, formatCountCompact, formatCountExact } from '../format/quantity.ts'
import { NBSP, compact, fixed, plain, sizeOf } from '../format/digits.ts'
import { breakdownOf } from './breakdown.ts'
import type { Breakdown } from './breakdown.ts'
import { HOUR_PLACES } from './load.ts'
import type { LoadedCosts, LoadedUsage } from './load.ts'
import type { Range } from './ranges.ts'
import { dayStateOf } from './stack.ts'
import type { DayState } from './stack.ts'
import type { Metric } from './state.ts'

/** How values of a metric are written: one unit for the chart, its table and everything beside them. */
export type UnitFormat = {
  /** `Cost, USD`, `Tokens`, `VM hours`: the head of the column. */
  readonly title: string
  /** In a column whose head names the unit. */
  readonly cell: (value: bigint) => string
  /** `USD`, `tokens`: beside a figure that is large. */
  readonly unit: string
  /** As a large figure, with its unit beside it: `$24,040.62`, `432.6 M`. */
  readonly figure: (value: bigint) => string
  /** By itself: `$24,040.62`, `432.6 M tokens`. */
  readonly full: (value: bigint) => string
  /** On an axis. */
  readonly tick: (value: bigint) => string
  /** Every digit, in a hint. */
  readonly exact: (value: bigint) => string
  /** What an axis ends at when all is zero. */
  readonly one: bigint
}

function moneyFormat(currency: string): UnitFormat {
  return {
    title: `Cost, ${currency}`,
    unit: currency,
    figure: (value) => formatMoneyShort(value, currency),
    cell: (value) => formatAmount(value, currency),
    full: (value) => formatMoneyShort(value, currency),
    tick: (value) => formatMoneyCompact(value, currency),
    exact: (value) => formatExact(value, currency),
    one: 1_000_000_000n,
  }
}

function countFormat(metric: Exclude<Metric, 'cost'>, meter: string | undefined): UnitFormat {
  if (metric === 'hours') return hoursFormat(meter === undefined ? 'hours' : meterWords(meter))
  const words = 'tokens'
  return {
    title: `${words.charAt(0).toUpperCase()}${words.slice(1)}`,
    unit: words,
    figure: formatCount,
    cell: formatCount,
    full: (value) => `${formatCount(value)} ${words}`,
    tick: formatCountCompact,
    exact: (value) => `${formatCountExact(value)} ${words}`,
    one: 1n,
  }
}

/** Hours of a meter, in its millionths. */
function hoursFormat(words: string): UnitFormat {
  return {
    title: `${words.charAt(0).toUpperCase()}${words.slice(1)}`,
    unit: words,
    figure: formatHours,
    cell: formatHours,
    full: (value) => `${formatHours(value)} ${words}`,
    tick: (value) => compact(value, { places: HOUR_PLACES, gap: NBSP }),
    exact: (value) => `${plain(value, HOUR_PLACES)} ${words}`,
    one: 10n ** BigInt(HOUR_PLACES),
  }
}

/** Whole where they are whole, else with two places; what is less than a hundredth has as many as it needs. */
export function formatHours(value: bigint): string {
  const one = 10n ** BigInt(HOUR_PLACES)
  if (value % one === 0n || sizeOf(value) >= 100_000n * one) return formatCount(divideHalfAwayFromZero(value, one))
  return sizeOf(value) < one / 100n ? plain(value, HOUR_PLACES) : fixed(value, { places: HOUR_PLACES, shown: 2 })
}

/** What the page shows of a range, whatever the metric. */
export type Shown = {
  readonly breakdown: Breakdown
  readonly format: UnitFormat
  readonly asOf: AsOf
  /** One for each currency; of quantities none. */
  readonly totals: readonly Total[]
  /** Of the breakdown; of quantities none. */
  readonly currency: string | undefined
}

export function shownCosts(
  costs: LoadedCosts,
  range: Range,
  { currency, own }: { readonly currency: string | undefined; readonly own: string },
): Shown {
  const wanted = [currency, own, costs.totals[0]?.currency].find((each) => each !== undefined && costs.byCurrency.has(each)) ?? own
  return {
    breakdown: costs.byCurrency.get(wanted) ?? breakdownOf(range, []),
    format: moneyFormat(wanted),
    asOf: costs.asOf,
    totals: costs.totals,
    currency: wanted,
  }
}

export function shownUsage(usage: LoadedUsage, metric: Exclude<Metric, 'cost'>): Shown {
  return { breakdown: usage.breakdown, format: countFormat(metric, usage.meter), asOf: usage.asOf, totals: [], currency: undefined }
}

/** How complete each day of a breakdown is. */
export function dayStates({ breakdown, asOf }: Pick<Shown, 'breakdown' | 'asOf'>, now: number): readonly DayState[] {
  const ratedBefore = Date.parse(asOf.ratedBefore)
  return breakdown.days.map((day) =>
    dayStateOf(parseDay(day) ?? 0, { ratedBefore, now, hasData: (breakdown.dayTotals.get(day) ?? 0n) !== 0n }),
  )
}

/** Whether what is shown in rows, each rounded for itself, misses the total that is shown. */
export function missesTotal({ series, total }: Pick<Breakdown, 'series' | 'total'>, { cell }: Pick<UnitFormat, 'cell'>): boolean {
  // What has an abbreviation is rounded for all to see.
  if (!/^[−\d.,]+$/.test(cell(total))) return false
  const shown = series.map((each) => cell(each.total))
  if (!shown.every((text) => /^[−\d.,]+$/.test(text))) return false
  const nano = (text: string): bigint => nanoOf(text.replaceAll(',', '').replace('\u2212', '-'))
  return shown.reduce((sum, text) => sum + nano(text), 0n) !== nano(cell(total))
}

/** Whether a range is of this month, from its first day, and has today in it: only then there is a month to foresee. */
export function isThisMonth({ from, to }: Range, today: Day): boolean {
  const month = monthRange(today)
  return from === month.from && to >= today && to <= month.to
}
