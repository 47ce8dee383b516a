import { useMemo } from 'react'
import type { UseQueryResult } from '@tanstack/react-query'
import { addDays, formatInstantLong, formatTime, monthRange } from '../format/dates.ts'
import { formatMoneyShort, nanoOf } from '../format/money.ts'
import { cumulativeOf } from './breakdown.ts'
import type { Breakdown } from './breakdown.ts'
import type { ChartModel } from './chart/types.ts'
import { driversOf } from './drivers.ts'
import type { Drivers } from './drivers.ts'
import { forecastOf } from './forecast.ts'
import type { Forecast } from './forecast.ts'
import { labelOf } from './labels.ts'
import type { LoadedTokens } from './load.ts'
import { OTHER_LOOK, lookOf } from './look.ts'
import type { Look } from './look.ts'
import { comparisonOf } from './ranges.ts'
import type { Range } from './ranges.ts'
import { OTHER_KEY, stackOf } from './stack.ts'
import type { DayState, Stack } from './stack.ts'
import { DIMENSION_PLURALS, dimensionWords } from './state.ts'
import type { Overview } from './use-overview.ts'
import { questionOf, useCatalogue, useHistory, useReport, useTokens } from './use-reports.ts'
import { budgetLineOf, budgetsOf } from './use-standing.ts'
import type { Standing } from './use-standing.ts'
import { dayStates, isThisMonth, shownCosts, shownUsage } from './view-model.ts'
import type { Shown } from './view-model.ts'

/** Everything that figures, chart and table draw from: one breakdown, so that they cannot differ. */
export type OverviewModel = {
  readonly stack: Stack
  readonly states: readonly DayState[]
  readonly chart: ChartModel
  /** What the range is compared with. */
  readonly compared: Range | undefined
  /** Totals of the time before, by key. */
  readonly before: ReadonlyMap<string, bigint> | undefined
  readonly beforeTotal: bigint | undefined
  readonly beforeError: unknown
  readonly drivers: Drivers | undefined
  readonly forecast: Forecast | undefined
  /** `undefined`: there is no month to foresee. */
  readonly forecastState: 'loading' | 'behind' | 'done' | undefined
  readonly tokens: UseQueryResult<LoadedTokens>
  /** How many models there ever were; `undefined`: not known yet. */
  readonly models: number | undefined
  readonly labelOf: (key: string) => string
  readonly lookOf: (key: string) => Look
}

type Input = { overview: Overview; shown: Shown; own: string; standing: Standing; now: number }

/** Puts the page's reads together. */
export function useOverviewModel({ overview, shown, own, standing, now }: Input): OverviewModel {
  const { state, today } = overview
  const { breakdown, format, asOf } = shown
  const currency = shown.currency ?? own
  const { catalogue } = useCatalogue(state.by)
  const models = useCatalogue('model')
  const compared = useMemo(() => comparisonOf(state, state.compare), [state])
  const previous = useReport(compared && questionOf(state, compared), state.metric)
  const before = useMemo(() => beforeOf(previous.data, compared, { state, currency }), [previous.data, compared, state, currency])
  const tokens = useTokens(questionOf(state, state), state.metric === 'cost')
  const foresees = state.metric === 'cost' && isThisMonth(state, today)
  const history = useHistory({ filters: state.filters, today, currency, enabled: foresees })
  const stack = useMemo(() => stackOf(breakdown, { hidden: new Set(state.hidden) }), [breakdown, state.hidden])
  const states = dayStates(shown, now)
  const forecast = useMemo(
    () =>
      foresees && history.data?.isBehind === false
        ? forecastOf({
            history: history.data.days,
            monthToDate: breakdown.total,
            today: breakdown.dayTotals.get(today) ?? 0n,
            todayDay: today,
          })
        : undefined,
    [foresees, history.data, breakdown, today],
  )
  const beforeByKey = useMemo(() => before && new Map(before.series.map(({ key, total }) => [key, total])), [before])
  const names = useMemo(() => labelsOf(state.by, catalogue), [state.by, catalogue])
  const budget = budgetLineOf(budgetsOf(standing.budgets.data?.data ?? [], state, currency), state)
  return {
    stack,
    states,
    compared,
    before: beforeByKey,
    beforeTotal: before?.total,
    beforeError: previous.error,
    drivers: before && driversOf(breakdown.series, before.series),
    forecast,
    forecastState: !foresees ? undefined : history.isPending ? 'loading' : history.data?.isBehind === true ? 'behind' : 'done',
    tokens,
    models: models.isPending || models.error !== null ? undefined : models.entries.length,
    ...names,
    chart: {
      view: state.view,
      columns: stack.columns,
      states,
      format,
      cumulative: cumulativeOf(breakdown),
      ghost: before && before.total !== 0n ? ghostOf(before, state.view, breakdown.days.length) : undefined,
      forecast: forecast === undefined ? [] : aheadOf(forecast, state, today),
      budget: budget && {
        value: nanoOf(budget.limit),
        label: `${budget.name ?? 'Budget'}: ${formatMoneyShort(nanoOf(budget.limit), budget.unit)}`,
      },
      partialUntil: untilText(asOf.ratedBefore, today),
      labelOf: (key) => (key === undefined ? `Other (${stack.others.length} ${DIMENSION_PLURALS[state.by]})` : names.labelOf(key)),
      lookOf: (key) => (key === undefined ? OTHER_LOOK : names.lookOf(key)),
      singular: dimensionWords(state.by),
      plural: DIMENSION_PLURALS[state.by],
    },
  }
}

/** The time is enough where it is today's. */
export function untilText(ratedBefore: string, today: string): string {
  return ratedBefore.startsWith(today) ? formatTime(ratedBefore) : formatInstantLong(ratedBefore)
}

function labelsOf(
  by: Overview['state']['by'],
  { names, order }: { readonly names: ReadonlyMap<string, string>; readonly order: ReadonlyMap<string, number> },
) {
  return {
    labelOf: (key: string): string => labelOf(by, key, names),
    lookOf: (key: string): Look => (key === OTHER_KEY ? OTHER_LOOK : lookOf(key, order)),
  }
}

function beforeOf(
  report: ReturnType<typeof useReport>['data'],
  compared: Range | undefined,
  { state, currency }: { readonly state: Overview['state']; readonly currency: string },
): Breakdown | undefined {
  if (compared === undefined || report === undefined) return undefined
  if (report.costs !== undefined) return shownCosts(report.costs, compared, { currency, own: currency }).breakdown
  return report.usage !== undefined && state.metric !== 'cost' ? shownUsage(report.usage, state.metric).breakdown : undefined
}

/** By day of the period: months have not one length, and what has no day here is in no column. */
function ghostOf(before: Breakdown, view: Overview['state']['view'], count: number): ChartModel['ghost'] {
  const sums = cumulativeOf(before)
  return before.days
    .slice(0, count)
    .map((day, index) => ({ day, value: view === 'daily' ? (before.dayTotals.get(day) ?? 0n) : (sums[index] ?? 0n) }))
}

/** Days that are not over: after the last column, which may be the month's last already. */
function aheadOf(
  forecast: Forecast,
  { to, view }: Range & { readonly view: Overview['state']['view'] },
  today: string,
): ChartModel['forecast'] {
  const end = monthRange(today).to
  return forecast.days
    .filter(({ day }) => day >= addDays(to, 1) && day <= end)
    .map(({ alone, ...running }) => ({ ...(view === 'daily' ? alone : running), day: running.day }))
}
