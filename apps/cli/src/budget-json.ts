import type { BudgetState } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { amountText } from './budget-amount.ts'

/** A budget as programs read it; amounts are decimal strings. */
export function budgetJson(budget: BudgetState): Record<string, unknown> {
  const text = (amount: bigint): string => amountText(amount, budget.unit)
  return {
    budget_id: budget.id,
    scope: budget.scope,
    subject: budget.subject,
    name: budget.name,
    unit: budget.unit,
    period: budget.period,
    limit: text(budget.limit),
    from: formatInstant(budget.from),
    until: budget.until === undefined ? undefined : formatInstant(budget.until),
    window_start: budget.period === 'prepaid' ? undefined : formatInstant(budget.windowStart),
    window_end: budget.period === 'prepaid' ? undefined : formatInstant(budget.windowEnd),
    thresholds: budget.thresholds,
    webhook: budget.webhookUrl,
    standings: budget.standings.map(({ subject, spent, reserved, left }) => ({
      subject,
      spent: text(spent),
      reserved: text(reserved),
      left: text(left),
    })),
  }
}
