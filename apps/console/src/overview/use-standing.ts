import { listBudgets, listCredits } from '@ascribe/contract/operations'
import type { BudgetJson } from '@ascribe/contract/reads'
import { useRead } from '../api/queries.ts'
import { monthRange } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { hasFilters } from './state.ts'
import type { OverviewState } from './state.ts'

/** What is left of credits, and of budgets. Neither depends on what the page shows. */
export function useStanding() {
  return { credits: useRead(listCredits), budgets: useRead(listBudgets) }
}

export type Standing = ReturnType<typeof useStanding>

/** The money budget that is of what the page shows: of the organization, or of the one key, user or group that it is narrowed to. */
export function budgetsOf(budgets: readonly BudgetJson[], { filters, metric }: OverviewState, currency: string): readonly BudgetJson[] {
  if (metric !== 'cost') return []
  const scopes = { credential: filters.apiKey, user: filters.user, group: filters.group } as const
  return budgets.filter(({ scope, subject, unit, until }) => {
    if (unit !== currency || until !== undefined) return false
    if (scope === 'organization') return !hasFilters(filters)
    const keys = scopes[scope]
    return keys?.length === 1 && keys[0] === subject && Object.keys(filters).length === 1
  })
}

/** The budget whose period is that of the chart: a day's with days, a month's with the running sum of one month. Never prorated. */
export function budgetLineOf(
  budgets: readonly BudgetJson[],
  { from, to, view }: Pick<OverviewState, 'from' | 'to' | 'view'>,
): BudgetJson | undefined {
  if (view === 'daily') return budgets.find(({ period }) => period === 'day')
  const month: { readonly from: Day; readonly to: Day } = monthRange(from)
  return from === month.from && to <= month.to ? budgets.find(({ period }) => period === 'month') : undefined
}
