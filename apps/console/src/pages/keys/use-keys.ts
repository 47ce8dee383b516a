import { useMemo } from 'react'
import { getCosts, listApiKeys, listBudgets } from '@ascribe/contract/operations'
import type { ApiKeyJson, BudgetJson, CostEntry } from '@ascribe/contract/reads'
import { useRead } from '../../api/queries.ts'
import { nanoOf } from '../../format/money.ts'
import type { Loadable } from '../Loaded.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { lastDays, useToday } from '../use-today.ts'

export const SPEND_DAYS = 30
/** Of one page of the report: more keys than most have. */
const COSTS_LIMIT = 5000

export type KeysData = Loadable<readonly ApiKeyJson[]> & {
  readonly isWhole: boolean
  readonly currency: string
  /** Nano-units of the last 30 days; `undefined`: not known (yet). */
  readonly spend: Loadable<ReadonlyMap<string, bigint>>
  readonly budgetOf: (keyId: string) => BudgetJson | undefined
}

/** The keys of an organization with what they cost and what bounds them. */
export function useKeys(): KeysData {
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } })
  const range = lastDays(useToday(), SPEND_DAYS)
  const currency = keys.first?.currency ?? 'USD'
  const costs = useAllPages(getCosts, {
    query: { ...range, grain: 'total', groupBy: ['apiKey'], limit: COSTS_LIMIT },
  })
  const budgets = useRead(listBudgets)
  const entries = costs.isWhole ? costs.data : undefined
  const spend = useMemo(() => (entries === undefined ? undefined : spendOf(entries, currency)), [entries, currency])
  const byKey = useMemo(
    () => new Map(budgets.data?.data.filter(({ scope }) => scope === 'credential').map((budget) => [budget.subject, budget])),
    [budgets.data],
  )
  return { ...keys, currency, spend: { ...costs, data: spend }, budgetOf: (id) => byKey.get(id) }
}

/** Sums by key, of the currency that the organization is billed in. */
function spendOf(entries: readonly CostEntry[], currency: string): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const entry of entries) {
    const key = entry.keys.apiKey
    if (typeof key === 'string' && entry.currency === currency) sums.set(key, (sums.get(key) ?? 0n) + nanoOf(entry.amount))
  }
  return sums
}
