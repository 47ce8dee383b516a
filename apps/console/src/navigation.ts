import { useLocation, useNavigate, useParams } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { useScope } from './api/context.tsx'
import { useConsoleConfig } from './config-context.tsx'
import { hrefOf, pathOf } from './paths.ts'
import type { PageAddress } from './paths.ts'
import { formatSearch, parseSearch, readSearch, writeSearch } from './search-params.ts'
import type { RawSearch, SearchFields } from './search-params.ts'

/** Makes the `href` of a page of this organization. @example const href = usePageHref(); href({ page: 'keys' }) */
export function usePageHref(): (address: PageAddress) => string {
  const config = useConsoleConfig()
  const { organizationId } = useScope()
  return useCallback((address) => hrefOf(config, pathOf(config, organizationId, address)), [config, organizationId])
}

/** Goes to a page of this organization. */
export function useGoTo(): (address: PageAddress, options?: { readonly replace?: boolean }) => void {
  const config = useConsoleConfig()
  const { organizationId } = useScope()
  const navigate = useNavigate()
  return useCallback(
    (address, { replace = false } = {}) => {
      const [path = '', query = ''] = pathOf(config, organizationId, address).split('?')
      void navigate({ to: path, search: parseSearch(query) as never, replace })
    },
    [config, organizationId, navigate],
  )
}

/** A placeholder of the page's path, decoded: `usePageParam('invoice')`. */
export function usePageParam(name: string): string {
  const params: Readonly<Record<string, string | undefined>> = useParams({ strict: false })
  return params[name] ?? ''
}

/** The query of the address as it is. */
export function useRawSearch(): RawSearch {
  // What the router's parser, which is ours, has made of it.
  return useLocation({ select: ({ search }) => search as RawSearch })
}

/** Puts another query into the address of the same page. `replace` for what Back should not return to: a word being typed. */
export function useSetSearch(): (search: RawSearch, options?: { readonly replace?: boolean }) => void {
  const navigate = useNavigate()
  return useCallback(
    (search, { replace = false } = {}) => void navigate({ to: '.', search: search as never, replace, resetScroll: false }),
    [navigate],
  )
}

export type SearchState<State> = {
  readonly state: State
  /** Names whose values meant nothing: the page says that they were dropped. */
  readonly dropped: readonly string[]
  readonly set: (change: Partial<State>, options?: { readonly replace?: boolean }) => void
}

/** A page's state, kept in its address and nowhere else. `fields` is a constant of the module. */
export function useSearchState<State extends object>(fields: SearchFields<State>): SearchState<State> {
  const raw = useRawSearch()
  const setSearch = useSetSearch()
  // Equal text, equal state: the router may give a new object for the same address.
  const text = formatSearch(raw)
  const { state, dropped } = useMemo(() => readSearch(fields, parseSearch(text)), [fields, text])
  const set = useCallback(
    (change: Partial<State>, options?: { readonly replace?: boolean }) => {
      setSearch(writeSearch(fields, { ...state, ...change }), options)
    },
    [fields, state, setSearch],
  )
  return { state, dropped, set }
}
