import type { Clock, Logger, Meters } from '@ascribe/kit'
import { silentMeters, systemClock } from '@ascribe/kit'
import { KeySetError } from '../errors.ts'
import { fetchJson, outboundFetch } from '../outbound-fetch.ts'
import type { Fetch } from '../outbound-fetch.ts'
import type { Algorithm } from './algorithms.ts'
import { parsePublicKeys } from './public-keys.ts'
import type { PublicKey } from './public-keys.ts'

export type KeySetOptions = {
  /** Where the JWK set is, or how to find out: asked before every fetch. https, or http on loopback. */
  readonly jwksUrl: string | (() => Promise<string>)
  /** Whose keys, for the log. */
  readonly name: string
  readonly logger: Logger
  readonly meters?: Meters
  readonly clock?: Clock
  readonly fetch?: Fetch
  /** A copy this old is replaced; a withdrawn key works no longer than twice this. Default 5 min. */
  readonly freshMs?: number
  /** While the issuer is away its last copy is used until it is this old, then nobody is let in. Default 12 h. */
  readonly staleMsMax?: number
  /** For a whole fetch. Default 5 s. */
  readonly timeoutMs?: number
}

/** The keys that one issuer signs with. Fetched when somebody needs them, one fetch at a time; there is nothing to close. */
export type KeySet = {
  /** Those that a token with this header may have been signed with; several while keys rotate. @throws {KeySetError} no good copy */
  candidates(header: { readonly alg: Algorithm; readonly kid?: string }): Promise<readonly PublicKey[]>
  /** Fetches anew for a token that no key fits, unless that was done often just now. True: do ask again. */
  lookAgain(): Promise<boolean>
  readonly state: KeySetState
}

export type KeySetState = {
  readonly keys: number
  /** Of the copy in force, epoch milliseconds; absent: there is none. */
  readonly fetchedAt?: number
  readonly failingSince?: number
}

const FRESH_MS = 5 * 60_000
const STALE_MS_MAX = 12 * 3_600_000
const TIMEOUT_MS = 5_000
/** After a failed fetch the next one waits: from 1 s, twice as long each time. */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 30_000
/** Fetches for unknown key ids: three at once, then one in 5 s. Anybody can write a key id; a rotated one must work at once. */
const LOOKS_MAX = 3
const LOOK_MS = 5_000

type Copy = { readonly keys: readonly PublicKey[]; readonly fetchedAt: number }

/** Makes a cache of an issuer's JWK set that outlives the issuer's outages, follows rotation, and lets nobody in without a good copy. */
export function createKeySet(options: KeySetOptions): KeySet {
  const { freshMs = FRESH_MS, staleMsMax = STALE_MS_MAX, clock = systemClock, logger, name } = options
  const fetches = (options.meters ?? silentMeters).counter('ascribe_jwks_fetches_total', 'Fetches of the keys of an issuer, by outcome.')
  let copy: Copy | undefined
  let pending: Promise<boolean> | undefined
  let failure: { readonly since: number; readonly retryAt: number; readonly waitMs: number; readonly cause: unknown } | undefined
  let looks = LOOKS_MAX
  let looksAt = clock()

  async function fetchCopy(): Promise<boolean> {
    try {
      const keys = await readKeys(options)
      const isChanged = copy === undefined || kidsOf(copy.keys) !== kidsOf(keys)
      if (isChanged) logger.info('keys of an issuer in force', { issuer: name, keys: keys.length, kids: kidsOf(keys) })
      copy = { keys, fetchedAt: clock() }
      failure = undefined
      fetches.add(1, { issuer: name, outcome: 'ok' })
      return true
    } catch (cause) {
      const waitMs = Math.min(RETRY_MS_MAX, failure === undefined ? RETRY_MS_MIN : failure.waitMs * 2)
      if (failure === undefined) {
        const message = 'keys of an issuer cannot be fetched, the last good ones stay in force'
        logger.warn(copy === undefined ? 'keys of an issuer cannot be fetched' : message, { issuer: name, error: cause })
      }
      failure = { since: failure?.since ?? clock(), retryAt: clock() + waitMs, waitMs, cause }
      fetches.add(1, { issuer: name, outcome: 'failed' })
      return false
    }
  }

  function refresh(): Promise<boolean> {
    // Nothing may be awaited between the lookup and the set: that is the whole lock.
    pending ??= fetchCopy().finally(() => (pending = undefined))
    return pending
  }

  async function current(): Promise<Copy> {
    const age = copy === undefined ? Number.POSITIVE_INFINITY : clock() - copy.fetchedAt
    if (age >= freshMs && (failure === undefined || clock() >= failure.retryAt || pending !== undefined)) {
      const refreshed = refresh()
      // A little late is good enough while it is being replaced; what nobody asked for in a long time is not.
      if (age >= 2 * freshMs && (failure === undefined || age > staleMsMax)) await refreshed
    }
    if (copy !== undefined && clock() - copy.fetchedAt <= staleMsMax) return copy
    throw new KeySetError(`Cannot verify tokens of ${name}: there is no good copy of its keys`, { cause: failure?.cause })
  }

  return {
    async candidates({ alg, kid }) {
      const { keys } = await current()
      const fitting = keys.filter((key) => key.fits(alg))
      // Teleport's older sets name no key: then any may be meant (RFC 7517 section 4.5).
      const named = kid === undefined ? fitting : fitting.filter((key) => key.kid === kid)
      return named.length > 0 ? named : fitting.filter((key) => key.kid === undefined)
    },
    async lookAgain() {
      if (pending === undefined) {
        const earned = Math.floor((clock() - looksAt) / LOOK_MS)
        looks = Math.min(LOOKS_MAX, looks + Math.max(0, earned))
        if (earned !== 0) looksAt = clock()
        if (looks === 0) return false
        looks -= 1
      }
      return refresh()
    },
    get state() {
      return {
        keys: copy?.keys.length ?? 0,
        ...(copy !== undefined && { fetchedAt: copy.fetchedAt }),
        ...(failure !== undefined && { failingSince: failure.since }),
      }
    },
  }
}

async function readKeys({ jwksUrl, fetch = outboundFetch, timeoutMs = TIMEOUT_MS }: KeySetOptions): Promise<readonly PublicKey[]> {
  const url = typeof jwksUrl === 'string' ? jwksUrl : await jwksUrl()
  let keys: readonly PublicKey[]
  try {
    keys = parsePublicKeys(await fetchJson(url, { fetch, timeoutMs }))
  } catch (cause) {
    throw new KeySetError(`Cannot fetch the keys at ${URL.canParse(url) ? new URL(url).href : 'a URL that is none'}`, { cause })
  }
  // An issuer that signs has a key; a set without one is a fault there, and must not lock everybody out.
  if (keys.length === 0) throw new KeySetError(`Cannot use the keys at ${url}: none of them is for signatures`)
  return keys
}

function kidsOf(keys: readonly PublicKey[]): string {
  return keys.map(({ kid = '' }) => kid.slice(0, 40)).join(' ')
}
