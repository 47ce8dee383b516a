import { useCallback, useMemo } from 'react'
import { dayOfInstant } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { useRawSearch, useSetSearch } from '../navigation.ts'
import { formatSearch } from '../search-params.ts'
import { useServices } from '../shell/services.tsx'
import type { OverviewState } from './state.ts'
import { overviewSearch, parseOverview } from './url-state.ts'
import type { ParsedOverview } from './url-state.ts'

export type Overview = ParsedOverview & {
  readonly today: Day
  /** Goes to another state of the page: a step of the history, unless `replace`. */
  readonly set: (change: Partial<OverviewState>, options?: { readonly replace?: boolean }) => void
}

/** The state of the page, which is that of its address and nowhere else. */
export function useOverview(): Overview {
  const raw = useRawSearch()
  const setSearch = useSetSearch()
  const today = dayOfInstant(useServices().now())
  // Equal text, equal state: the router may give a new object for the same address.
  const text = formatSearch(raw)
  const parsed = useMemo(() => parseOverview(Object.fromEntries(new URLSearchParams(text)), { today }), [text, today])
  const { state } = parsed
  const set = useCallback<Overview['set']>(
    (change, options) => setSearch(overviewSearch({ ...state, ...change }), options),
    [state, setSearch],
  )
  return { ...parsed, today, set }
}
