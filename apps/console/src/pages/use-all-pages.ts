import { useEffect, useMemo } from 'react'
import type { Operation } from '@ascribe/contract/client'
import type { ApiInput } from '../api/api.ts'
import { useReadPages } from '../api/queries.ts'
import type { Loadable } from './Loaded.tsx'

/** What a list of this length holds is found by search on the server or not at all; the page says so. */
const PAGES_MAX = 40

type Page<Row> = { readonly data: readonly Row[]; readonly nextCursor?: string | undefined }

/** A whole list, page after page, for pages that search in it. `isWhole` is false while some of it is missing. */
export function useAllPages<Params, Query extends { readonly cursor?: string | undefined }, Body, Row, Reply extends Page<Row>>(
  operation: Operation<Params, Query, Body, Reply & Page<Row>>,
  input: Omit<ApiInput<Params, Query>, 'body' | 'signal'> = {},
  options: { readonly enabled?: boolean } = {},
): Loadable<readonly Row[]> & { readonly isWhole: boolean; readonly first: Reply | undefined } {
  const pages = useReadPages(operation, input, options)
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage, error } = pages
  const count = data?.pages.length ?? 0
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && error === null && count < PAGES_MAX) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, error, count])
  const rows = useMemo(() => data?.pages.flatMap((page) => [...page.data]), [data])
  return {
    data: rows,
    error,
    isFetching: pages.isFetching,
    isFetchingNextPage,
    refetch: () => pages.refetch(),
    isWhole: data !== undefined && !hasNextPage,
    first: data?.pages[0],
  }
}
