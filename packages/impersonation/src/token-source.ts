import { createHash } from 'node:crypto'
import { concernOf } from './denials.ts'
import {
  AnswerInvalidError,
  ImpersonationError,
  ImpersonationInputError,
  MintThrottledError,
  MintUnavailableError,
  NotAuthorizedError,
  OwnerRefusedError,
  SubjectMismatchError,
} from './errors.ts'
import { startFlight } from './flight.ts'
import type { Flight } from './flight.ts'
import { assertOrigin } from './impersonated-token.ts'
import type { ImpersonatedToken } from './impersonated-token.ts'
import { LruMap } from './lru-map.ts'
import type { Discovered, Minted } from './minter.ts'
import { checkOwnerEmail, normalizeOwnerUuid } from './owner.ts'
import { Owner } from './owners.ts'
import type { RegionEndpoint } from './region-table.ts'
import { createRemoteParts, createSourceParts } from './source-parts.ts'
import type { SourceParts } from './source-parts.ts'
import { reportOf, setGauges } from './source-report.ts'
import { emptyEntry } from './token-cache.ts'
import type { CacheEntry, HeldToken } from './token-cache.ts'
import type {
  Authenticator,
  DiscoverRequest,
  OwnerRequest,
  RemoteSourceOptions,
  SourceOptions,
  TokenRequest,
  TokenSource,
  TokenSourceOptions,
  TokenSourceReport,
} from './token-source-types.ts'
import { backOffMs, windowsOf } from './windows.ts'

/** Renewals that fail are tried again after 1 to 30 s; the old token is handed out meanwhile. */
const RENEW_MS_MIN = 1_000
const RENEW_BACK_OFF = { baseMs: 1_000, capMs: 29_000 }
/** An open template must not grow this. */
const REGIONS_KEPT_MAX = 256
const GENERATION_LENGTH_MAX = 256

/** A region with the part of the key that it settles. */
type Place = { readonly endpoint: RegionEndpoint; readonly secretVersion: string; readonly keyHead: string }

/**
 * Makes the source of all tokens of one client at one issuer; a process has one. Numbered invariants: SPEC.md.
 *
 * @example
 * const source = createTokenSource({ issuer, clientId, secret: fileSecret('/run/secret'), regions, audit })
 * const token = await source.token({ ownerUuid, ownerEmail, region: 'zrh', bindingGeneration: 1 })
 * await fetch(url, { headers: { authorization: token.authorization(url.origin) }, redirect: 'error' })
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  return new CachedTokenSource(options, (onRotated) => createSourceParts(options, onRotated))
}

/** A source of the same tokens for a process that must not hold the client secret: a minter makes them, this one caches, limits and asserts. */
export function createRemoteTokenSource(options: RemoteSourceOptions): TokenSource {
  return new CachedTokenSource(options, () => createRemoteParts(options))
}

class CachedTokenSource implements TokenSource {
  readonly #options: SourceOptions
  readonly #parts: SourceParts
  readonly #places = new Map<string, Place>()
  /** Discoveries are limited for each address, as owners are. */
  readonly #seekers = new LruMap<Owner>(1_000)
  readonly #discoveries = new Set<Flight<Discovered>>()
  #flights = 0
  #waiters = 0
  #isClosed = false
  #stopSweeping: () => void = () => {}

  constructor(options: SourceOptions, makeParts: (onRotated: () => void) => SourceParts) {
    this.#options = options
    this.#parts = makeParts(() => this.#purge())
    options.meters?.beforeRender?.(() => this.#measure())
    this.#sweepLater()
  }

  // Not async: one that is found in the cache costs one promise and no more.
  token(request: TokenRequest): Promise<ImpersonatedToken> {
    try {
      const found = this.#find(request)
      if (found !== undefined) return Promise.resolve(found)
    } catch (error) {
      return Promise.reject(this.#counted(error))
    }
    return this.#mintFor(request).catch((error: unknown) => {
      throw this.#counted(error)
    })
  }

  /** Policy first, then the cache; nothing here waits. */
  #find(request: TokenRequest): ImpersonatedToken | undefined {
    const { cache, clock, secrets, instruments } = this.#parts
    this.#check(request)
    const secret = secrets.current
    if (secret === undefined) return undefined
    secrets.readSoon()
    const entry = cache.get(this.#keyOf(request, secret.version))
    const { held } = entry ?? {}
    const now = clock.monotonicMs()
    if (entry === undefined || held === undefined || held.hardAt <= now) return undefined
    cache.touch(entry, now)
    instruments.hits.add(1)
    if (held.softAt <= now && entry.flight === undefined && entry.renewNotBefore <= now) this.#renew(entry, request)
    return held.token
  }

  #check(request: TokenRequest): void {
    if (this.#isClosed) throw new MintUnavailableError('Cannot mint a token: the source is closed', { step: 'local', reason: 'closed' })
    request.signal?.throwIfAborted()
    try {
      const answer: unknown = this.#options.authorize?.(request)
      if (answer instanceof Promise) {
        // Its type lets an async function pass; one that refuses later would have let this call through.
        answer.catch(() => {})
        throw new NotAuthorizedError('Cannot act for this owner: the policy is asynchronous, and nobody waits for it')
      }
    } catch (cause) {
      throw cause instanceof ImpersonationError ? cause : new NotAuthorizedError('Cannot act for this owner: the policy refuses it', cause)
    }
  }

  /** The place's hash, the owner, the binding: the first two of fixed length, so that no two keys can be written alike. */
  #keyOf(request: OwnerRequest, secretVersion: string): string {
    const { bindingGeneration: generation } = request
    const isText = typeof generation === 'string' && generation.length <= GENERATION_LENGTH_MAX
    if (!isText && !Number.isFinite(generation))
      throw new ImpersonationInputError('Cannot act for this owner: bindingGeneration is neither a number nor a short text')
    const { keyHead } = this.#placeOf(request.region, secretVersion)
    return `${keyHead} ${normalizeOwnerUuid(request.ownerUuid)} ${isText ? JSON.stringify(generation) : generation}`
  }

  #placeOf(region: string, secretVersion: string): Place {
    const known = this.#places.get(region)
    if (known?.secretVersion === secretVersion) return known
    const endpoint = this.#options.regions.endpoint(region)
    // An array in JSON is unambiguous; its hash is short, which a cached get is paid for, and may be shown.
    const parts = [...this.#parts.place, secretVersion, endpoint.origin]
    const keyHead = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
    const place = { endpoint, secretVersion, keyHead }
    if (this.#places.size >= REGIONS_KEPT_MAX) this.#places.clear()
    this.#places.set(region, place)
    return place
  }

  async #mintFor(request: TokenRequest): Promise<ImpersonatedToken> {
    const { cache, clock, secrets, denials, instruments } = this.#parts
    const endpoint = this.#options.regions.endpoint(request.region)
    const ownerUuid = normalizeOwnerUuid(request.ownerUuid)
    checkOwnerEmail(request.ownerEmail)
    const { version } = secrets.current ?? (await secrets.read())
    // Whoever closed it, or aborted, while the secret was read.
    this.#check(request)
    const key = this.#keyOf(request, version)
    let entry = cache.get(key)
    const now = clock.monotonicMs()
    if (entry?.held !== undefined && entry.held.hardAt > now) return entry.held.token
    instruments.misses.add(1)
    if (entry?.held !== undefined) cache.empty(entry, 'expired')
    if (entry?.flight?.isEnding === false) return entry.flight.join(request.signal)
    const denial = denials.find(denialKeyOf(key, request))
    if (denial !== undefined) throw denial
    const { bindingGeneration, region } = request
    entry ??= emptyEntry({ key, ownerUuid, bindingGeneration, region, secretVersion: version, usedAt: now, nextCause: 'first' })
    const flight = this.#launch(entry, request, endpoint)
    if (!cache.holds(entry)) cache.add(entry)
    return flight.join(request.signal)
  }

  /** Starts minting for an entry that has no flight. @throws {MintThrottledError} when the owner has to wait */
  #launch(entry: CacheEntry, request: OwnerRequest, endpoint: RegionEndpoint): Flight<ImpersonatedToken> {
    const { clock, limits, owners, minter, denials } = this.#parts
    const owner = owners.at(entry.ownerUuid)
    owner.admit(clock.monotonicMs())
    const { ownerUuid, bindingGeneration } = entry
    const cause = entry.held === undefined ? entry.nextCause : 'renewal'
    const { ownerEmail, actor = {} } = request
    const denialKey = denialKeyOf(entry.key, request)
    const work = async (signal: AbortSignal): Promise<ImpersonatedToken> => {
      try {
        const minted = await minter.mint({ ownerUuid, ownerEmail, bindingGeneration, endpoint, cause, actor }, signal)
        denials.forget(denialKey)
        return this.#land(entry, minted, owner)
      } catch (error) {
        if (error instanceof ImpersonationError) this.#failed(entry, error, { owner, denialKey })
        throw error
      } finally {
        this.#flights -= 1
        if (entry.flight === flight) entry.flight = undefined
        if (entry.held === undefined && entry.flight === undefined) this.#parts.cache.remove(entry)
      }
    }
    this.#flights += 1
    const onWaiters = (change: 1 | -1): void => void (this.#waiters += change)
    const flight = startFlight(work, { clock, deadlineMs: limits.waitingMs + limits.mintTimeoutMs, onWaiters })
    entry.flight = flight
    return flight
  }

  #land(entry: CacheEntry, minted: Minted, owner: Owner): ImpersonatedToken {
    const { cache, clock, random, secrets, logger, owners } = this.#parts
    const { token, sealed, sentAtMs, secretVersion } = minted
    const { softMs, hardMs } = windowsOf(token.lifeMs, random())
    const held: HeldToken = { token, sealed, softAt: sentAtMs + softMs, hardAt: sentAtMs + hardMs, endsAt: sentAtMs + token.lifeMs }
    if (held.hardAt <= clock.monotonicMs()) {
      sealed.destroy()
      throw new AnswerInvalidError('Cannot use the token: minting took longer than it lives', {
        step: 'impersonate',
        reason: 'expired_on_arrival',
      })
    }
    owner.minted()
    entry.renewFailures = 0
    entry.renewNotBefore = 0
    entry.nextCause = 'first'
    logger.debug('token minted', {
      ownerHash: owners.hashOf(entry.ownerUuid),
      region: entry.region,
      lifeMs: token.lifeMs,
      generation: token.generation,
    })
    // A place that was taken away meanwhile stays empty; those who waited were promised this token, and get it.
    if (cache.holds(entry) && secretVersion === entry.secretVersion && secretVersion === secrets.current?.version) cache.put(entry, held)
    else cache.retire(held)
    return token
  }

  #failed(entry: CacheEntry, error: ImpersonationError, { owner, denialKey }: { readonly owner: Owner; readonly denialKey: string }): void {
    const { cache, clock, random, denials, logger, owners } = this.#parts
    const concern = concernOf(error)
    owner.failed(error, { now: clock.monotonicMs(), random: random(), isRefusal: concern === 'owner' })
    if (concern === 'owner') denials.remember(denialKey, error)
    const isFinal = error instanceof OwnerRefusedError || error instanceof SubjectMismatchError
    // Of an owner that is refused, or is somebody else, the token in hand is not used on either (fail closed).
    if (isFinal && entry.held !== undefined) cache.drop(entry, 'refused')
    const fields = { ownerHash: owners.hashOf(entry.ownerUuid), region: entry.region, reason: error.reason, error }
    if (error instanceof SubjectMismatchError) logger.error('token of another user was destroyed', fields)
    else logger.warn('token could not be minted', fields)
  }

  #renew(entry: CacheEntry, request: OwnerRequest): void {
    const { clock, random, instruments } = this.#parts
    const settled = (outcome: string, notBeforeMs: number): void => {
      instruments.refreshes.add(1, { outcome })
      entry.renewNotBefore = clock.monotonicMs() + notBeforeMs
    }
    const failed = (error: unknown): void => {
      const { reason = 'abandoned', retryAfterMs = 0 } = error instanceof ImpersonationError ? error : {}
      const waitMs = RENEW_MS_MIN + backOffMs(entry.renewFailures, { ...RENEW_BACK_OFF, random: random() })
      entry.renewFailures += 1
      settled(reason, Math.max(waitMs, retryAfterMs))
    }
    try {
      const { endpoint } = this.#placeOf(entry.region, entry.secretVersion)
      // Nobody waits for it but this: the old token is handed out meanwhile.
      void this.#launch(entry, request, endpoint)
        .join()
        .then(() => settled('ok', 0), failed)
    } catch (error) {
      failed(error)
    }
  }

  #counted(error: unknown): unknown {
    if (!(error instanceof ImpersonationError)) return error
    const { instruments } = this.#parts
    if (error instanceof MintThrottledError || error.reason === 'circuit_open') instruments.throttled.add(1, { reason: error.reason })
    else if (!error.retryable || error.reason === 'secret_unreadable') instruments.denied.add(1, { reason: error.reason })
    return error
  }

  invalidate(token: ImpersonatedToken): boolean {
    const { cache } = this.#parts
    const entry = cache.entryOf(token)
    if (entry === undefined) return false
    entry.nextCause = 'rejected'
    cache.empty(entry, 'rejected')
    return true
  }

  forget(ownerUuid: string): void {
    const { cache } = this.#parts
    const wanted = normalizeOwnerUuid(ownerUuid)
    const reason = new MintUnavailableError('Cannot hand out this token: its owner was forgotten meanwhile', {
      step: 'local',
      reason: 'forgotten',
    })
    for (const entry of cache.entries()) if (entry.ownerUuid === wanted) this.#evict(entry, { as: 'forgotten', reason })
  }

  #evict(entry: CacheEntry, { as, reason }: { readonly as: 'forgotten' | 'rotated'; readonly reason?: Error }): void {
    const { cache } = this.#parts
    cache.drop(entry, as)
    cache.remove(entry)
    if (reason !== undefined) entry.flight?.abort(reason)
  }

  /** Whatever was minted with another secret is unreachable by its key; here its bytes go too. Flights end for those who wait. */
  #purge(): void {
    const { cache, secrets } = this.#parts
    for (const entry of cache.entries()) if (entry.secretVersion !== secrets.current?.version) this.#evict(entry, { as: 'rotated' })
  }

  async discover(request: DiscoverRequest): Promise<Discovered> {
    const { clock, limits, minter, secrets } = this.#parts
    if (this.#isClosed) throw new MintUnavailableError('Cannot mint a token: the source is closed', { step: 'local', reason: 'closed' })
    const endpoint = this.#options.regions.endpoint(request.region)
    const ownerEmail = checkOwnerEmail(request.ownerEmail)
    const { actor = {}, signal } = request
    try {
      if (secrets.current === undefined) await secrets.read()
      signal?.throwIfAborted()
      this.#seekers.at(ownerEmail.toLowerCase(), () => new Owner('', clock.monotonicMs())).admit(clock.monotonicMs())
      const flight = startFlight((own) => minter.discover({ ownerEmail, endpoint, actor }, own), {
        clock,
        deadlineMs: limits.waitingMs + limits.mintTimeoutMs,
      })
      this.#discoveries.add(flight)
      return await flight.join(signal).finally(() => this.#discoveries.delete(flight))
    } catch (error) {
      throw this.#counted(error)
    }
  }

  authenticator(owner: OwnerRequest): Authenticator {
    return {
      authorize: async (origin, signal) => {
        // Before anything is minted: a token that may not go there is not worth one.
        assertOrigin(this.#options.regions.endpoint(owner.region).origin, origin)
        const token = await this.token(signal === undefined ? owner : { ...owner, signal })
        return { header: token.authorization(origin), token }
      },
      rejected: (token) => void this.invalidate(token),
    }
  }

  inspect(): TokenSourceReport {
    return reportOf(this.#parts, { flights: this.#flights, waiters: this.#waiters })
  }

  sweep(): void {
    const { cache, clock } = this.#parts
    cache.sweep(clock.monotonicMs())
    this.#measure()
  }

  #measure(): void {
    setGauges(this.#parts, { flights: this.#flights, waiters: this.#waiters })
  }

  #sweepLater(): void {
    const { clock, limits } = this.#parts
    if (limits.sweepMs <= 0) return
    const sweep = (): void => {
      this.sweep()
      this.#sweepLater()
    }
    this.#stopSweeping = clock.schedule(limits.sweepMs, sweep, { isBackground: true })
  }

  /** Ends every flight, zeroes every token, closes connections. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopSweeping()
    const reason = new MintUnavailableError('Cannot mint a token: the source was closed', { step: 'local', reason: 'closed' })
    for (const entry of this.#parts.cache.entries()) this.#evict(entry, { as: 'forgotten', reason })
    for (const flight of this.#discoveries) flight.abort(reason)
    this.#parts.close()
  }
}

/** A refusal is about an owner as it was asked for: with another address it may be found. The bucket of the owner bounds the asking. */
function denialKeyOf(key: string, { ownerEmail }: OwnerRequest): string {
  return `${key} ${ownerEmail.toLowerCase()}`
}
