import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { UseQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import { getCatalogue, getCosts, getUsage } from '@ascribe/contract/operations'
import type { CatalogueName, CostDimension } from '@ascribe/contract/reads'
import type { ConsoleApi } from '../api/api.ts'
import { useApi } from '../api/context.tsx'
import { organizationKey, useRead } from '../api/queries.ts'
import { addDays, daysOfRange } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import type { Breakdown } from './breakdown.ts'
import { HISTORY_DAYS_MAX } from './forecast.ts'
import { NO_CATALOGUE, catalogueOf } from './labels.ts'
import type { Catalogue } from './labels.ts'
import { loadCosts, loadTokens, loadUsage } from './load.ts'
import type { LoadedCosts, LoadedTokens, LoadedUsage, Question, ReportSource } from './load.ts'
import type { Range } from './ranges.ts'
import { hasFilters } from './state.ts'
import type { Filters, Metric, OverviewState } from './state.ts'

/** The reports of the organization whose pages these are. */
function sourceOf(api: ConsoleApi): ReportSource {
  return {
    costs: (query, signal) => api.call(getCosts, { query, ...(signal !== undefined && { signal }) }),
    usage: (query, signal) => api.call(getUsage, { query, ...(signal !== undefined && { signal }) }),
  }
}

/** Children are in a report when organizations are what it tells apart. */
export function asksChildren(by: CostDimension, filters: Filters): boolean {
  return by === 'organization' || filters.organization !== undefined
}

export function questionOf({ by, filters }: Pick<OverviewState, 'by' | 'filters'>, { from, to }: Range): Question {
  return { from, to, by, filters, children: asksChildren(by, filters) }
}

/** What is charged or used in a range; of one metric at a time. */
export type Report = { readonly costs: LoadedCosts | undefined; readonly usage: LoadedUsage | undefined }

/** Reads a range. `undefined`: nothing is asked. `keepsPrevious`: meanwhile the answer before is given, which is of another question. */
export function useReport(question: Question | undefined, metric: Metric, { keepsPrevious = false } = {}): UseQueryResult<Report> {
  const api = useApi()
  return useQuery<Report>({
    queryKey: [...organizationKey(api.organizationId), 'overview', metric, question],
    queryFn: async ({ signal }): Promise<Report> => {
      if (question === undefined) return { costs: undefined, usage: undefined }
      if (metric === 'cost') return { costs: await loadCosts(sourceOf(api), question, signal), usage: undefined }
      return { costs: undefined, usage: await loadUsage(sourceOf(api), { ...question, metric }, signal) }
    },
    enabled: question !== undefined,
    ...(keepsPrevious && { placeholderData: keepPreviousData }),
  })
}

export function useTokens(question: Question, enabled: boolean): UseQueryResult<LoadedTokens> {
  const api = useApi()
  return useQuery({
    queryKey: [...organizationKey(api.organizationId), 'overview-tokens', question],
    queryFn: ({ signal }) => loadTokens(sourceOf(api), question, signal),
    enabled,
  })
}

export type History = {
  readonly days: readonly bigint[]
  /** Some of them are not rated yet. */
  readonly isBehind: boolean
}

/** Usage of the full days before today, oldest first, from the first of them that had any: what a forecast is made from. */
export function useHistory({ filters, today, currency, enabled }: { filters: Filters; today: Day; currency: string; enabled: boolean }) {
  const api = useApi()
  const range = { from: addDays(today, -HISTORY_DAYS_MAX), to: addDays(today, -1) }
  const children = asksChildren('model', filters)
  return useQuery({
    queryKey: [...organizationKey(api.organizationId), 'overview-history', filters, range.from, currency],
    queryFn: async ({ signal }): Promise<History> => {
      // Lines of whole months are no usage of their day.
      const asked: Filters = hasFilters(filters) && filters.category !== undefined ? filters : { ...filters, category: ['usage'] }
      const { byCurrency, asOf } = await loadCosts(sourceOf(api), { ...range, by: 'category', filters: asked, children }, signal)
      return { days: daysFromFirst(byCurrency.get(currency), range), isBehind: asOf.ratedBefore < today }
    },
    enabled,
  })
}

function daysFromFirst(breakdown: Breakdown | undefined, { from, to }: Range): readonly bigint[] {
  if (breakdown === undefined) return []
  const values = daysOfRange(from, to).map((day) => breakdown.dayTotals.get(day))
  // Days before an organization began say nothing about how it goes on.
  const first = values.findIndex((value) => value !== undefined)
  return first === -1 ? [] : values.slice(first).map((value) => value ?? 0n)
}

const CATALOGUE_ROWS = 5000

/** The keys of a dimension, in the order of their first use. Categories and prices have none. */
export function useCatalogue(dimension: CostDimension, { enabled = true }: { readonly enabled?: boolean } = {}) {
  const isListed = dimension !== 'category' && dimension !== 'price'
  const { data, isPending, error } = useRead(
    getCatalogue,
    {
      params: { dimension: (isListed ? dimension : 'model') as CatalogueName },
      query: { limit: CATALOGUE_ROWS, children: dimension === 'organization' },
    },
    // Keys come seldom, and go never.
    { enabled: enabled && isListed, staleTime: 5 * 60_000 },
  )
  const catalogue: Catalogue = useMemo(() => (data === undefined || !isListed ? NO_CATALOGUE : catalogueOf(data.data)), [data, isListed])
  return { catalogue, entries: isListed ? (data?.data ?? []) : [], isPending: isListed && enabled && isPending, error }
}
