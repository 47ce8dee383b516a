import type { Flight } from './flight.ts'
import type { ImpersonatedToken } from './impersonated-token.ts'
import type { MintAudit } from './mint-audit.ts'
import type { SealedText } from './sealed-text.ts'

/** One place in the cache. It is there while a token is in it, or on its way. */
export type CacheEntry = {
  readonly key: string
  readonly ownerUuid: string
  readonly bindingGeneration: string | number
  readonly region: string
  readonly secretVersion: string
  held: HeldToken | undefined
  flight: Flight<ImpersonatedToken> | undefined
  /** On the monotonic clock. */
  usedAt: number
  /** No renewal in the background before this instant. */
  renewNotBefore: number
  renewFailures: number
  /** Why the next token will be minted. */
  nextCause: MintAudit['cause']
}

/** A place that nothing has come to yet. */
export function emptyEntry(
  entry: Pick<CacheEntry, 'key' | 'ownerUuid' | 'bindingGeneration' | 'region' | 'secretVersion' | 'usedAt' | 'nextCause'>,
): CacheEntry {
  return { ...entry, held: undefined, flight: undefined, renewNotBefore: 0, renewFailures: 0 }
}

export type HeldToken = {
  readonly token: ImpersonatedToken
  readonly sealed: SealedText
  readonly softAt: number
  readonly hardAt: number
  readonly endsAt: number
}

export type Eviction = 'capacity' | 'expired' | 'idle' | 'rejected' | 'refused' | 'rotated' | 'forgotten' | 'replaced'

export type TokenCacheOptions = {
  readonly entriesMax: number
  readonly bytesMax: number
  readonly onEviction: (reason: Eviction) => void
}

/** Key, entry, token object and their places in maps; what a token adds to it are its bytes. Measured: bench, section impersonation. */
const ENTRY_BYTES = 1_700
const TOUCH_MS = 1_000
/** Of the bytes of the cache, as many again for tokens that only wait for being zeroed. */
const RETIRED_SHARE = 0.25

/**
 * Tokens by key, bounded by count and by bytes. What was used longest ago goes first; a place with a flight stays. Bytes are zeroed at
 * once where nobody may use the token any more, and after its end where somebody may still be doing so.
 */
export class TokenCache {
  readonly #entries = new Map<string, CacheEntry>()
  readonly #byToken = new WeakMap<ImpersonatedToken, CacheEntry>()
  /** Tokens that left while they were good. Oldest first. */
  #retired: HeldToken[] = []
  #retiredBytes = 0
  readonly #options: TokenCacheOptions
  #sizeBytes = 0

  constructor(options: TokenCacheOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Of the tokens that left while they were good and wait for their end. */
  get retiredBytes(): number {
    return this.#retiredBytes
  }

  entries(): MapIterator<CacheEntry> {
    return this.#entries.values()
  }

  get(key: string): CacheEntry | undefined {
    return this.#entries.get(key)
  }

  /** Says that it is in use. Its turn to go is told by the second: moving it each time would take a third of a cached get. */
  touch(entry: CacheEntry, now: number): void {
    if (now - entry.usedAt < TOUCH_MS) return
    entry.usedAt = now
    this.#entries.delete(entry.key)
    this.#entries.set(entry.key, entry)
  }

  holds(entry: CacheEntry): boolean {
    return this.#entries.get(entry.key) === entry
  }

  add(entry: CacheEntry): void {
    this.#entries.set(entry.key, entry)
    this.#sizeBytes += ENTRY_BYTES
    this.#shrink()
  }

  put(entry: CacheEntry, held: HeldToken): void {
    this.empty(entry, 'replaced')
    entry.held = held
    this.#byToken.set(held.token, entry)
    this.#sizeBytes += held.sealed.sizeBytes
    this.#shrink()
  }

  /** Who holds this very token, if it is still the one in its place. */
  entryOf(token: ImpersonatedToken): CacheEntry | undefined {
    const entry = this.#byToken.get(token)
    return entry?.held?.token === token ? entry : undefined
  }

  /** Takes the token out. The place goes too, unless a flight is about to fill it. */
  drop(entry: CacheEntry, reason: Eviction): void {
    this.empty(entry, reason)
    if (entry.flight === undefined) this.remove(entry)
  }

  /** Takes the place away, flight or not: what lands there later finds it gone. */
  remove(entry: CacheEntry): void {
    if (!this.holds(entry)) return
    this.#entries.delete(entry.key)
    this.#sizeBytes -= ENTRY_BYTES
  }

  /** Keeps a token that is in nobody's place until its end, to zero it then. */
  retire(held: HeldToken): void {
    const { entriesMax, bytesMax } = this.#options
    const { sizeBytes } = held.sealed
    // Beyond the bounds the garbage collector has to do.
    if (this.#retired.length >= entriesMax || this.#retiredBytes + sizeBytes > bytesMax * RETIRED_SHARE) return
    this.#retired.push(held)
    this.#retiredBytes += sizeBytes
  }

  /** Drops what has ended, and what nobody has used for as long as it lives. */
  sweep(now: number): void {
    for (const entry of this.#entries.values()) {
      const { held, flight } = entry
      if (held === undefined) {
        if (flight === undefined) this.remove(entry)
      } else if (held.hardAt <= now) this.drop(entry, 'expired')
      else if (flight === undefined && entry.usedAt + held.token.lifeMs <= now) this.drop(entry, 'idle')
    }
    this.#retired = this.#retired.filter(({ sealed, endsAt }) => {
      if (endsAt > now) return true
      sealed.destroy()
      this.#retiredBytes -= sealed.sizeBytes
      return false
    })
  }

  #shrink(): void {
    const { entriesMax, bytesMax } = this.#options
    if (this.#entries.size <= entriesMax && this.#sizeBytes <= bytesMax) return
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= entriesMax && this.#sizeBytes <= bytesMax) return
      if (entry.flight === undefined) this.drop(entry, 'capacity')
    }
  }

  /** Takes the token out and leaves the place, which remembers why the next one is minted. The sweep takes it away. */
  empty(entry: CacheEntry, reason: Eviction): void {
    const { held } = entry
    if (held === undefined) return
    entry.held = undefined
    this.#sizeBytes -= held.sealed.sizeBytes
    this.#options.onEviction(reason)
    // Somebody may be sending it right now, and may: it is as good as it was.
    if (reason === 'capacity' || reason === 'replaced' || reason === 'idle') this.retire(held)
    else held.sealed.destroy()
  }
}
