import { dayOf } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'

/** Whose usage a budget bounds. */
export type BudgetScope = 'organization' | 'user' | 'group' | 'credential'
export const BUDGET_SCOPES: readonly BudgetScope[] = ['organization', 'user', 'group', 'credential']

/** `day` and `month` begin anew at their UTC boundary; `prepaid` never does. */
export type BudgetPeriod = 'day' | 'month' | 'prepaid'
export const BUDGET_PERIODS: readonly BudgetPeriod[] = ['day', 'month', 'prepaid']

/** A subject that stands for each one of its scope that has no budget of its own of the same unit and period. */
export const EACH = '*'

/**
 * How much, in the smallest unit of its budget: a token, or 10^-18 of a currency (the unit of rates, so that quantity × rate is
 * exact and nothing is rounded while it is counted).
 */
export type Amount = bigint

/** `tokens`, or the currency of a budget in money. */
export type BudgetUnit = string
export const TOKENS: BudgetUnit = 'tokens'

/** One rule: no more than a limit for a subject in each window. */
export type Budget = {
  readonly id: string
  readonly scope: BudgetScope
  /** Id of the organization, user, group or credential; or {@link EACH}. */
  readonly subject: string
  readonly unit: BudgetUnit
  readonly period: BudgetPeriod
  /** What people call it. */
  readonly name?: string
  /** In force in `[from, until)`, UTC epoch milliseconds; absent: from ever, for ever. */
  readonly from?: Instant
  readonly until?: Instant
}

/** Who asks, as far as it is known. */
export type Subject = {
  readonly authId: string
  readonly organizationId?: string | undefined
  readonly userId?: string | undefined
  readonly groupId?: string | undefined
}

/** The id by which a subject falls under a scope. */
export function subjectIn(scope: BudgetScope, subject: Subject): string | undefined {
  switch (scope) {
    case 'organization':
      return subject.organizationId
    case 'user':
      return subject.userId
    case 'group':
      return subject.groupId
    case 'credential':
      return subject.authId
  }
}

/** Where the one window of a prepaid budget begins. */
export const PREPAID_START: Instant = 0

/** The window of `period` that contains `at`, `[start, end)`. Every instant is in exactly one. */
export function windowOf(period: BudgetPeriod, at: Instant): Period {
  switch (period) {
    case 'day':
      return dayOf(at)
    case 'month': {
      const date = new Date(at)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      return { start: startOfMonth(year, month), end: startOfMonth(year, month + 1) }
    }
    case 'prepaid':
      return { start: PREPAID_START, end: Infinity }
  }
}

function startOfMonth(year: number, month: number): Instant {
  // Not `Date.UTC`, which takes the years 0 to 99 for 1900 to 1999.
  return new Date(0).setUTCFullYear(year, month, 1)
}

/** Whether a budget is in force at an instant. */
export function isInForce(budget: Pick<Budget, 'from' | 'until'>, at: Instant): boolean {
  return (budget.from === undefined || budget.from <= at) && (budget.until === undefined || at < budget.until)
}

/** Names the counter of one subject in one window of one budget. */
export function accountKey(budget: string, subject: string, start: Instant): string {
  return `${budget} ${start} ${subject}`
}

/**
 * The budgets that bound `subject` at `at`, and under which id: all of them apply at once. A budget for {@link EACH} is left out
 * where the subject has one of its own with the same scope, unit and period.
 */
export function budgetsFor(
  subject: Subject,
  at: Instant,
  budgetsOf: (scope: BudgetScope, subject: string) => readonly Budget[],
): readonly { readonly budget: Budget; readonly subject: string }[] {
  const found: { budget: Budget; subject: string }[] = []
  for (const scope of BUDGET_SCOPES) {
    const id = subjectIn(scope, subject)
    if (id === undefined) continue
    const own = budgetsOf(scope, id).filter((budget) => isInForce(budget, at))
    for (const budget of own) found.push({ budget, subject: id })
    for (const budget of budgetsOf(scope, EACH)) {
      if (!isInForce(budget, at)) continue
      if (own.some((each) => each.unit === budget.unit && each.period === budget.period)) continue
      found.push({ budget, subject: id })
    }
  }
  return found
}
