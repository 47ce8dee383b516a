import type { ReactNode } from 'react'
import type { Day } from '../format/dates.ts'
import { faultOf } from '../api/fault.ts'
import { AverageFigure, BudgetFigure, ChangeFigure, CreditsFigure, Figure, ForecastFigure, TotalFigure } from './Figures.tsx'
import { rangeName } from './ranges.ts'
import type { OverviewModel } from './use-overview-model.ts'
import type { Overview } from './use-overview.ts'
import { budgetsOf } from './use-standing.ts'
import type { Standing } from './use-standing.ts'
import type { Shown } from './view-model.ts'

type Props = { overview: Overview; shown: Shown; model: OverviewModel; standing: Standing; today: Day }

/** The numbers that one looks for first. */
export function FigureRow({ overview, shown, model, standing, today }: Props): ReactNode {
  const { state } = overview
  const { breakdown, format, totals, currency } = shown
  const full = breakdown.days.filter((_, index) => model.states[index] === 'full')
  const credits = standing.credits.data
  const [budget] = currency === undefined ? [] : budgetsOf(standing.budgets.data?.data ?? [], state, currency)
  return (
    <dl className="ov-figures">
      <TotalFigure
        name={rangeName(state, today)}
        total={breakdown.total}
        format={format}
        totals={totals}
        partial={model.states.includes('partial') && breakdown.series.length > 0 ? today : undefined}
      />
      {model.compared !== undefined && (
        <ChangeFigure
          range={model.compared}
          now={breakdown.total}
          before={model.beforeTotal}
          format={format}
          drivers={model.drivers}
          labelOf={model.labelOf}
          error={model.beforeTotal === undefined ? model.beforeError : null}
        />
      )}
      {model.forecastState !== undefined && currency !== undefined ? (
        <ForecastFigure
          month={today}
          forecast={model.forecast}
          currency={currency}
          isLoading={model.forecastState === 'loading'}
          isBehind={model.forecastState === 'behind'}
        />
      ) : (
        <AverageFigure
          total={full.reduce((sum, day) => sum + (breakdown.dayTotals.get(day) ?? 0n), 0n)}
          days={full.length}
          format={format}
        />
      )}
      {credits !== undefined && credits.data.length > 0 && <CreditsFigure credits={credits} />}
      {standing.credits.error !== null && credits === undefined && (
        <Figure label="Credits left" value="–">
          We could not load the credits. {faultOf(standing.credits.error).message}
        </Figure>
      )}
      {budget !== undefined && <BudgetFigure budget={budget} />}
    </dl>
  )
}

/** What does not depend on the report: it is there though the report is not. */
export function StandingRow({ overview, own, standing }: { overview: Overview; own: string; standing: Standing }): ReactNode {
  const credits = standing.credits.data
  const [budget] = budgetsOf(standing.budgets.data?.data ?? [], overview.state, overview.state.currency ?? own)
  const hasCredits = credits !== undefined && credits.data.length > 0
  if (!hasCredits && budget === undefined) return null
  return (
    <dl className="ov-figures">
      {hasCredits && <CreditsFigure credits={credits} />}
      {budget !== undefined && <BudgetFigure budget={budget} />}
    </dl>
  )
}
