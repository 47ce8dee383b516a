import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { InfiniteData, UseInfiniteQueryResult, UseMutationResult, UseQueryOptions, UseQueryResult } from '@tanstack/react-query'
import type { Operation } from '@ascribe/contract/client'
import type { ApiInput, ConsoleApi } from './api.ts'
import { useApi } from './context.tsx'

/** Everything that is cached of an organization begins with this. */
export function organizationKey(organizationId: string): readonly [string, string] {
  return ['organization', organizationId]
}

type ReadInput<Params, Query> = Omit<ApiInput<Params, Query>, 'body' | 'signal'>

export type ReadOptions = {
  /** Default true. */
  readonly enabled?: boolean
  /** How long an answer counts as new, milliseconds. Default: the client's, 30 s. */
  readonly staleTime?: number
  /** While the next answer is on its way, show the one before (with a progress line). Default true. */
  readonly keepsPrevious?: boolean
}

/** The key and the function of a read. */
export type ReadOptionsOf<Reply> = {
  readonly queryKey: readonly unknown[]
  readonly queryFn: (context: { readonly signal: AbortSignal }) => Promise<Reply>
}

/** A read as TanStack Query wants it: for loaders, `prefetchQuery` and `useQueries`. */
export function readOptions<Params, Query, Body, Reply>(
  api: ConsoleApi,
  operation: Operation<Params, Query, Body, Reply>,
  input: ReadInput<Params, Query> = {},
): ReadOptionsOf<Reply> {
  const { params, query } = input
  return {
    queryKey: [...organizationKey(api.organizationId), operation.operationId, params ?? {}, query ?? {}],
    queryFn: ({ signal }) => api.call(operation, { ...input, signal }),
  }
}

/** @example const { data, error, isPending, isPlaceholderData } = useRead(getCosts, { query: { from, to } }) */
export function useRead<Params, Query, Body, Reply>(
  operation: Operation<Params, Query, Body, Reply>,
  input: ReadInput<Params, Query> = {},
  { enabled = true, staleTime, keepsPrevious = true }: ReadOptions = {},
): UseQueryResult<Reply> {
  const api = useApi()
  const options: UseQueryOptions<Reply> = {
    ...readOptions(api, operation, input),
    enabled,
    ...(staleTime !== undefined && { staleTime }),
    ...(keepsPrevious && { placeholderData: previousOf<Reply>(api.organizationId, operation.operationId) }),
  }
  return useQuery<Reply>(options)
}

/** What stood there before, if it is of the same organization and the same operation: nothing is ever shown across two. */
function previousOf<Reply>(organizationId: string, operationId: string) {
  const keep = (previous: Reply | undefined, before: { readonly queryKey: readonly unknown[] } | undefined): Reply | undefined =>
    before?.queryKey[1] === organizationId && before.queryKey[2] === operationId ? previous : undefined
  // The library guards against replies that are functions; ours are JSON.
  return keep as NonNullable<UseQueryOptions<Reply>['placeholderData']>
}

type Paged = { readonly nextCursor?: string | undefined }

/** Pages of a list, by cursor. @example const { data, hasNextPage, fetchNextPage } = useReadPages(listInvoices) */
export function useReadPages<Params, Query extends { readonly cursor?: string | undefined }, Body, Reply extends Paged>(
  operation: Operation<Params, Query, Body, Reply>,
  input: ReadInput<Params, Query> = {},
  { enabled = true }: Pick<ReadOptions, 'enabled'> = {},
): UseInfiniteQueryResult<InfiniteData<Reply, string | undefined>> {
  const api = useApi()
  const { params, query } = input
  return useInfiniteQuery({
    queryKey: [...organizationKey(api.organizationId), operation.operationId, 'pages', params ?? {}, query ?? {}],
    queryFn: ({ signal, pageParam }) => {
      const cursor = pageParam === undefined ? {} : { cursor: pageParam }
      // `cursor` is a name of every such query; the compiler cannot see that of a type parameter.
      return api.call(operation, { ...input, query: { ...query, ...cursor } as Partial<Query>, signal })
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextCursor }: Reply) => nextCursor,
    enabled,
  })
}

type WriteInput<Params, Query, Body> = Omit<ApiInput<Params, Query, Body>, 'signal'>

/** A change. Whatever is cached of the organization is asked for anew afterwards. */
export function useWrite<Params, Query, Body, Reply>(
  operation: Operation<Params, Query, Body, Reply>,
): UseMutationResult<Reply, Error, WriteInput<Params, Query, Body>> {
  const api = useApi()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (input: WriteInput<Params, Query, Body>) => api.call(operation, input),
    onSuccess: () => client.invalidateQueries({ queryKey: organizationKey(api.organizationId) }),
  })
}
