import type { Clock } from '@ascribe/kit'
import { systemClock } from '@ascribe/kit'
import { discoverIssuer } from '../jwt/discovery.ts'
import type { DiscoveryOptions, IssuerMetadata } from '../jwt/discovery.ts'

export type IssuerCacheOptions = DiscoveryOptions & { readonly issuer: string; readonly clock?: Clock }

const FRESH_MS = 10 * 60_000
const RETRY_MS = 1_000

/** What an identity provider says of itself: one question at a time, and the last good answer while it is away. */
export function createIssuerCache({ issuer, clock = systemClock, ...options }: IssuerCacheOptions): () => Promise<IssuerMetadata> {
  let found: { readonly metadata: IssuerMetadata; readonly at: number } | undefined
  let pending: Promise<IssuerMetadata> | undefined
  let retryAt = Number.NEGATIVE_INFINITY

  async function ask(): Promise<IssuerMetadata> {
    try {
      const metadata = await discoverIssuer(issuer, options)
      found = { metadata, at: clock() }
      return metadata
    } catch (error) {
      retryAt = clock() + RETRY_MS
      if (found === undefined) throw error
      return found.metadata
    }
  }

  return () => {
    if (found !== undefined && (clock() - found.at < FRESH_MS || clock() < retryAt)) return Promise.resolve(found.metadata)
    pending ??= ask().finally(() => (pending = undefined))
    return pending
  }
}
