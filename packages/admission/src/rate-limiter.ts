import { EACH, subjectIn } from './budget.ts'
import type { Subject } from './budget.ts'
import { LIMIT_SCOPES } from './snapshot.ts'
import type { LimitScope, RateLimit } from './snapshot.ts'
import { TokenBucket } from './token-bucket.ts'

/** What a reply tells a client of one of its limits. */
export type LimitState = {
  /** Of a minute, over all gateways. */
  readonly limit: number
  /** What this gateway would let through at once. */
  readonly remaining: number
  /** Milliseconds until it would let through a minute's worth of its share again. */
  readonly resetMs: number
}

export type LimitStates = { readonly requests?: LimitState; readonly tokens?: LimitState }

/** A request that was let through. */
export type LimitHold = {
  /** It has ended: the tokens that it used take the place of those that were estimated. `undefined`: nobody knows, the estimate stands. */
  settle(tokens: number | undefined, now: number): void
  /** It was never sent: nothing counts. */
  release(now: number): void
  /** Of several limits of a kind, the one that lets least through. */
  states(now: number): LimitStates
}

export type Limited =
  | { readonly kind: 'passed'; readonly hold: LimitHold }
  | {
      readonly kind: 'limited'
      readonly what: 'requests' | 'tokens'
      readonly scope: LimitScope
      readonly limit: number
      /** Until the same request would be let through, if nobody else takes it. */
      readonly retryMs: number
      readonly states: LimitStates
    }

/** How full the buckets of a limiter are that are not full, by a key of its own: 1 is full. */
export type LimitsLeft = Readonly<Record<string, number>>

type What = 'requests' | 'tokens'
type Bucket = { readonly what: What; readonly scope: LimitScope; readonly limit: number; readonly bucket: TokenBucket; usedAt: number }

/** A bucket that nobody has used for so long is full, and may be forgotten. */
const IDLE_MS = 120_000
const SWEEP_MS = 60_000

/** The rate limits of one gateway: its share of each, in memory. Times are milliseconds of a clock that does not go back. */
export class RateLimiter {
  #rules = new Map<string, RateLimit>()
  #gateways = 1
  readonly #buckets = new Map<string, Bucket>()
  readonly #leftBefore: Map<string, number>
  #sweptAt = 0

  /** `left`: of a limiter that this one takes over from; a bucket is as full as that one's was. */
  constructor(left: LimitsLeft = {}) {
    this.#leftBefore = new Map(Object.entries(left))
  }

  /** What is left, for one that takes over. */
  left(now: number): LimitsLeft {
    const left: Record<string, number> = {}
    for (const [key, { bucket }] of this.#buckets) if (bucket.fullMs(now) > 0) left[key] = bucket.level(now) / bucket.capacity
    return left
  }

  get isEmpty(): boolean {
    return this.#rules.size === 0
  }

  /** Takes over the rules; buckets go on as they are. */
  apply(limits: readonly RateLimit[], gateways: number): void {
    this.#rules = new Map(limits.map((rule) => [ruleKey(rule.scope, rule.subject), rule]))
    this.#gateways = Math.max(1, gateways)
  }

  /** Lets a request of about `tokens` through every limit of `subject`, or through none. `undefined`: it has no limit. */
  pass(subject: Subject, tokens: number, now: number): Limited | undefined {
    const buckets = this.#bucketsOf(subject, now)
    if (buckets.length === 0) return undefined
    let slowest: { readonly found: Bucket; readonly retryMs: number } | undefined
    for (const found of buckets) {
      const retryMs = found.bucket.waitMs(found.what === 'requests' ? 1 : tokens, now)
      if (retryMs > (slowest?.retryMs ?? 0)) slowest = { found, retryMs }
    }
    if (slowest !== undefined) {
      const { what, scope, limit, bucket } = slowest.found
      const retryMs = bucket.promiseMs(what === 'requests' ? 1 : tokens, now)
      return { kind: 'limited', what, scope, limit, retryMs, states: statesOf(buckets, now) }
    }
    // An estimate takes no more than is there: one that is far too high would shut out everybody until long after the request has ended, and
    // for ever where nobody learns what it used.
    const taken = buckets.map(({ what, bucket }) => (what === 'requests' ? 1 : Math.min(tokens, bucket.capacity)))
    for (const [index, { bucket }] of buckets.entries()) bucket.take(taken[index] ?? 0, now)
    return { kind: 'passed', hold: holdOf(buckets, taken) }
  }

  #bucketsOf(subject: Subject, now: number): readonly Bucket[] {
    this.#sweep(now)
    const found: Bucket[] = []
    for (const scope of LIMIT_SCOPES) {
      const id = subjectIn(scope, subject)
      const rule = id === undefined ? undefined : (this.#rules.get(ruleKey(scope, id)) ?? this.#rules.get(ruleKey(scope, EACH)))
      if (id === undefined || rule === undefined) continue
      for (const what of ['requests', 'tokens'] as const) {
        const limit = what === 'requests' ? rule.requestsPerMinute : rule.tokensPerMinute
        if (limit !== undefined) found.push(this.#bucketOf({ what, scope, limit }, id, now))
      }
    }
    return found
  }

  #bucketOf({ what, scope, limit }: Pick<Bucket, 'what' | 'scope' | 'limit'>, id: string, now: number): Bucket {
    const key = `${what} ${scope} ${id}`
    const known = this.#buckets.get(key)
    const share = limit / this.#gateways
    const bucket = known?.bucket ?? this.#newBucket(key, share, now)
    bucket.setRate(share, now)
    if (known !== undefined && known.limit === limit) {
      known.usedAt = now
      return known
    }
    const made: Bucket = { what, scope, limit, bucket, usedAt: now }
    this.#buckets.set(key, made)
    return made
  }

  #newBucket(key: string, share: number, now: number): TokenBucket {
    const bucket = new TokenBucket(share, now)
    const left = this.#leftBefore.get(key)
    this.#leftBefore.delete(key)
    if (left !== undefined) bucket.take((1 - left) * bucket.capacity, now)
    return bucket
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = now
    for (const [key, { usedAt, bucket }] of this.#buckets) {
      if (now - usedAt > IDLE_MS && bucket.fullMs(now) === 0) this.#buckets.delete(key)
    }
  }
}

function ruleKey(scope: LimitScope, subject: string): string {
  return `${scope} ${subject}`
}

/** `taken`: from each of the buckets. */
function holdOf(buckets: readonly Bucket[], taken: readonly number[]): LimitHold {
  let open = true
  const correct = (usedOf: (what: What, taken: number) => number, now: number): void => {
    if (!open) return
    open = false
    for (const [index, { what, bucket }] of buckets.entries()) {
      const before = taken[index] ?? 0
      bucket.take(usedOf(what, before) - before, now)
    }
  }
  return {
    settle: (tokens, now) => correct((what, before) => (what === 'requests' ? before : (tokens ?? before)), now),
    release: (now) => correct(() => 0, now),
    states: (now) => statesOf(buckets, now),
  }
}

function statesOf(buckets: readonly Bucket[], now: number): LimitStates {
  const states: { requests?: LimitState; tokens?: LimitState } = {}
  for (const { what, limit, bucket } of buckets) {
    const remaining = Math.max(0, Math.floor(bucket.level(now)))
    const before = states[what]
    if (before === undefined || remaining < before.remaining) states[what] = { limit, remaining, resetMs: bucket.fullMs(now) }
  }
  return states
}
