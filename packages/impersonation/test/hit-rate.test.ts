import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from './support/fake-clock.ts'
import { createWorld, ownerOf } from './support/world.ts'

// What bench/src/impersonation measures for 1,000 owners, small enough for every run.

const OWNERS = 20

/** Numbers that repeat (a linear congruence), so that a failure does too. */
function sequence(): () => number {
  let state = 42
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
}

for (const [lifeS, least] of [
  [60, 0.95],
  [300, 0.99],
  [3_600, 0.99],
] as const)
  test(`token() finds at least ${least * 100} % of tokens of ${lifeS} s in the cache (openfga-388, librechat-15320)`, async () => {
    const random = sequence()
    const { source, steps, clock, meters } = createWorld({ random })
    steps.lifeMs = { service_token: 300_000, rpt: 300_000, impersonate: lifeS * 1_000 }
    const nextAt = Array.from({ length: OWNERS }, () => random() * 10)
    for (let second = 0; second < 10 * lifeS; second += 1) {
      for (let owner = 0; owner < OWNERS; owner += 1) {
        if ((nextAt[owner] ?? 0) > second) continue
        nextAt[owner] = second - Math.log(1 - random()) * 10
        // A reconcile: five requests, each with a token that is good when it is sent.
        for (let request = 0; request < 5; request += 1) {
          const token = await source.token(ownerOf(owner))
          assert.match(token.authorization(token.origin), /^Bearer imp-/)
        }
      }
      await settle()
      clock.advance(1_000)
    }
    const [hits, misses] = [meters.value('ascribe_token_cache_hits_total'), meters.value('ascribe_token_cache_misses_total')]
    assert.ok(hits / (hits + misses) >= least, `${hits} hits, ${misses} misses`)
    // At most one for each soft window, and one for each that was missed.
    assert.ok(steps.count('impersonate') <= (OWNERS * (10 * lifeS)) / (0.75 * lifeS) + OWNERS)
  })
