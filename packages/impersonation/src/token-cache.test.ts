import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../test/support/fake-clock.ts'
import { uuidOf } from '../test/support/world.ts'
import { ImpersonatedToken } from './impersonated-token.ts'
import { SealedText } from './sealed-text.ts'
import { TokenCache, emptyEntry } from './token-cache.ts'
import type { CacheEntry, HeldToken } from './token-cache.ts'

const clock = createFakeClock()

function heldOf(n: number, sizeBytes: number): HeldToken {
  const [token, endsAtMs] = [new SealedText('x'.repeat(sizeBytes)), clock.monotonicMs() + 60_000]
  const shared = { subject: uuidOf(n), region: 'zrh', origin: 'https://api.example', generation: n, lifeMs: 60_000, endsAtMs, clock }
  return { token: new ImpersonatedToken({ token, ...shared }), sealed: token, softAt: endsAtMs, hardAt: endsAtMs, endsAt: endsAtMs }
}

function entryAt(n: number): CacheEntry {
  const place = { ownerUuid: uuidOf(n), bindingGeneration: 1, region: 'zrh', secretVersion: '1' }
  return emptyEntry({ key: String(n), ...place, usedAt: clock.monotonicMs(), nextCause: 'first' })
}

test('tokens that were pushed out never pile up beyond a quarter of the bytes, and are zeroed at their end', () => {
  const cache = new TokenCache({ entriesMax: 10_000, bytesMax: 100_000, onEviction: () => {} })
  const held = Array.from({ length: 200 }, (_, n) => heldOf(n, 4_000))
  for (const [n, each] of held.entries()) {
    const entry = entryAt(n)
    cache.add(entry)
    cache.put(entry, each)
    assert.ok(cache.sizeBytes <= 100_000)
    assert.ok(cache.retiredBytes <= 25_000)
  }
  assert.ok(cache.retiredBytes > 20_000)
  assert.ok(!held.some(({ sealed }) => sealed.isDestroyed))
  cache.sweep(clock.monotonicMs() + 60_000)
  assert.equal(cache.retiredBytes, 0)
  assert.ok(held[0]?.sealed.isDestroyed)
})

test('a place that is being minted for is never pushed out, nor loses its token (rule 10)', () => {
  const cache = new TokenCache({ entriesMax: 2, bytesMax: 1_000_000, onEviction: () => {} })
  const [first, second, third] = [entryAt(1), entryAt(2), entryAt(3)]
  for (const entry of [first, second]) {
    cache.add(entry)
    cache.put(entry, heldOf(1, 10))
  }
  first.flight = { join: () => Promise.reject(new Error('not here')), abort: () => {}, waiters: 0, isEnding: false }
  cache.add(third)
  assert.deepEqual([cache.holds(first), first.held !== undefined, cache.holds(second)], [true, true, false])
})
