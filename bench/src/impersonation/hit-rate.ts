import { setImmediate } from 'node:timers/promises'
import type { TokenClock, TokenMeters } from '@ascribe/impersonation'
import { ownerOf, sourceOf } from './instant-cloud.ts'

export type HitRun = {
  readonly lifeS: number
  readonly what: string
  readonly rate: number
  readonly mintsAnOwnerHour: number
  /** What is claimed for this life, where something is. */
  readonly least: number | undefined
}

/** `steady`: a controller with some machines for each owner. `sparse`: one that looks in now and then. */
export type Pattern = 'steady' | 'sparse'
const PATTERNS: Readonly<Record<Pattern, { readonly everyS: number; readonly requests: number }>> = {
  steady: { everyS: 10, requests: 5 },
  sparse: { everyS: 30, requests: 1 },
}
const CLAIMS: Readonly<Record<number, number>> = { 60: 0.95, 300: 0.99, 3_600: 0.99 }

/** Runs so many owners through twelve lives of their tokens, but at least ten minutes and at most four hours, on a clock that is turned. */
export async function simulateHits({ lifeS, pattern, owners }: { lifeS: number; pattern: Pattern; owners: number }): Promise<HitRun> {
  const { everyS, requests } = PATTERNS[pattern]
  const lengthS = Math.min(4 * 3_600, Math.max(600, 12 * lifeS))
  const random = seeded(lifeS + requests)
  const counts = new Map<string, number>()
  let now = 0
  const clock: TokenClock = { monotonicMs: () => now, wallMs: () => now, schedule: () => () => {} }
  using source = sourceOf({ tokenBytes: 16, lifeMs: lifeS * 1_000, clock, meters: countInto(counts), random })
  const nextAt = Array.from({ length: owners }, () => random() * everyS)
  const requestsOf = Array.from({ length: owners }, (_, owner) => ownerOf(owner))
  for (let second = 0; second < lengthS; second += 1) {
    now = second * 1_000
    const asked: Promise<unknown>[] = []
    for (let owner = 0; owner < owners; owner += 1) {
      if ((nextAt[owner] ?? 0) > second) continue
      nextAt[owner] = second - Math.log(1 - random()) * everyS
      asked.push(oneAfterTheOther(requests, () => source.token(requestsOf[owner] ?? ownerOf(owner))))
    }
    await Promise.all(asked)
    await setImmediate()
    if (second % 10 === 0) source.sweep()
  }
  const [hits, misses] = [counts.get('ascribe_token_cache_hits_total') ?? 0, counts.get('ascribe_token_cache_misses_total') ?? 0]
  const mints = source.inspect().owners.reduce((sum, owner) => sum + owner.mints, 0)
  return {
    lifeS,
    what: pattern,
    rate: hits / (hits + misses),
    mintsAnOwnerHour: (mints / owners) * (3_600 / lengthS),
    least: pattern === 'steady' ? CLAIMS[lifeS] : undefined,
  }
}

/** As the requests of one reconcile do. */
async function oneAfterTheOther(count: number, act: () => Promise<unknown>): Promise<void> {
  for (let each = 0; each < count; each += 1) await act()
}

function countInto(counts: Map<string, number>): TokenMeters {
  const ignored = (): void => {}
  return {
    counter: (name) => ({ add: (amount = 1) => void counts.set(name, (counts.get(name) ?? 0) + amount) }),
    gauge: () => ({ set: ignored }),
    histogram: () => ({ observe: ignored }),
  }
}

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
