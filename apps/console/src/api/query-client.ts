import { QueryCache, QueryClient } from '@tanstack/react-query'
import type { Ended, EndedStore } from '../operator/ended.ts'
import { faultOf } from './fault.ts'

/** Reports are seconds old anyhow, and every look of an operator is a line in a log that people read. */
const STALE_MS = 30_000
const RETRIES = 2
const RETRY_MS = 1000

/** What may pass by itself. Whoever has been refused, or is signed out, does not ask again by a machine (R13). */
function isWorthRetrying(error: unknown): boolean {
  const { kind } = faultOf(error)
  return kind === 'internal' || kind === 'limited' || kind === 'audit_unavailable'
}

/** Whether an error means that nothing of the organization may be shown any more, and why. */
export function endOf(error: unknown, at: number): Ended | undefined {
  const { kind, message } = faultOf(error)
  if (kind === 'signed_out') return { kind: 'signed_out', at }
  // Ended by hand, in another tab, there is no session any more: the same to a reader.
  if (kind === 'viewing_ended' || kind === 'viewing_required') return { kind: /customer/.test(message) ? 'revoked' : 'expired', at }
  return undefined
}

/** The cache of one tab. It lives in memory and nowhere else. */
export function createQueryClient(ended: EndedStore, now: () => number): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError(error, { queryKey }) {
        // Who is signed in, or begins to look, is asked before there is anything to end.
        if (queryKey[0] !== 'organization') return
        const end = endOf(error, now())
        if (end !== undefined) ended.set(end)
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: STALE_MS,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < RETRIES && isWorthRetrying(error),
        retryDelay: (attempt) => RETRY_MS * 2 ** attempt,
        // Without a line a request fails, and the page says so; it does not hang.
        networkMode: 'always',
      },
      mutations: { networkMode: 'always', retry: false },
    },
  })
}
