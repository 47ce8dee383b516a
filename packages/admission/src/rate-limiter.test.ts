import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RateLimiter } from './rate-limiter.ts'
import type { LimitHold, Limited } from './rate-limiter.ts'
import type { RateLimit } from './snapshot.ts'
import { TokenBucket } from './token-bucket.ts'

const WHO = { authId: 'key-1', organizationId: 'acme' }
const rule = (fields: Partial<RateLimit>): RateLimit => ({ scope: 'credential', subject: 'key-1', ...fields })

function limiter(rules: readonly RateLimit[], gateways = 1): RateLimiter {
  const made = new RateLimiter()
  made.apply(rules, gateways)
  return made
}

function passed(outcome: Limited | undefined): LimitHold {
  return outcome?.kind === 'passed' ? outcome.hold : assert.fail(`it is ${outcome?.kind}`)
}

test('TokenBucket lets through no more than its rate and what it holds, at any times', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(fc.nat(10_000), { maxLength: 200 }), (perMinute, gaps) => {
      const bucket = new TokenBucket(perMinute, 0)
      let [now, through] = [0, 0]
      for (const gap of gaps) {
        now += gap
        if (bucket.waitMs(1, now) > 0) continue
        bucket.take(1, now)
        through += 1
      }
      assert(through <= perMinute + (now * perMinute) / 60_000 + 1e-6)
    }),
  )
})

test('TokenBucket says exactly when to come back', () => {
  const bucket = new TokenBucket(60, 0)
  bucket.take(60, 0)
  assert.equal(bucket.waitMs(2, 0), 2000)
  assert.equal(bucket.waitMs(2, 1500), 500)
  assert.equal(bucket.waitMs(2, 2000), 0)
  assert.equal(bucket.fullMs(0), 58_000, 'time does not go back')
})

test('TokenBucket keeps how full it is when its rate changes', () => {
  const bucket = new TokenBucket(100, 0)
  bucket.take(50, 0)
  bucket.setRate(10, 0)
  assert.equal(bucket.level(0), 5)
})

test('wso2-2932: a limit in tokens counts tokens, not requests', () => {
  const limits = limiter([rule({ tokensPerMinute: 1000 })])
  const first = passed(limits.pass(WHO, 100, 0))
  first.settle(900, 0)
  const second = limits.pass(WHO, 150, 0)
  assert.equal(second?.kind === 'limited' && second.what, 'tokens')
  assert.equal(second?.kind === 'limited' && second.retryMs, 3000)
  passed(limits.pass(WHO, 100, 0)).settle(10, 0)
  passed(limits.pass(WHO, 90, 0))
})

test('settle() takes what was used beyond the estimate from the next ones', () => {
  const limits = limiter([rule({ tokensPerMinute: 100 })])
  passed(limits.pass(WHO, 10, 0)).settle(160, 0)
  const next = limits.pass(WHO, 1, 0)
  assert.equal(next?.kind === 'limited' && next.retryMs, 61 * 600)
})

test('pass() takes from every limit of a request, or from none', () => {
  const limits = limiter([
    rule({ requestsPerMinute: 5, tokensPerMinute: 10 }),
    rule({ scope: 'organization', subject: 'acme', requestsPerMinute: 2 }),
  ])
  passed(limits.pass(WHO, 6, 0))
  assert.equal(limits.pass(WHO, 6, 0)?.kind, 'limited')
  passed(limits.pass(WHO, 1, 0))
  const third = limits.pass(WHO, 1, 0)
  assert(third?.kind === 'limited')
  assert.deepEqual([third.what, third.scope, third.limit, third.retryMs], ['requests', 'organization', 2, 30_000])
  // Another key of the organization is bounded by what both have used.
  assert.equal(limits.pass({ authId: 'key-2', organizationId: 'acme' }, 1, 0)?.kind, 'limited')
  assert.equal(limits.pass({ authId: 'key-2', organizationId: 'other' }, 1, 0), undefined)
})

test('pass() lets a request through that is larger than the limit once everything is there, and makes the next ones wait', () => {
  const limits = limiter([rule({ tokensPerMinute: 100 })])
  const hold = passed(limits.pass(WHO, 250, 0))
  const next = limits.pass(WHO, 250, 0)
  assert.equal(next?.kind === 'limited' && next.retryMs, 60_000)
  hold.settle(250, 0)
  const later = limits.pass(WHO, 50, 0)
  assert.equal(later?.kind === 'limited' && later.retryMs, 120_000, 'what it really used is paid for')
})

test('one request with a huge max_tokens never shuts its organization out for longer than a minute', () => {
  for (const used of [undefined, 10, 'release'] as const) {
    const limits = limiter([rule({ scope: 'organization', subject: 'acme', requestsPerMinute: 9, tokensPerMinute: 1000 })])
    const hold = passed(limits.pass(WHO, Number.MAX_SAFE_INTEGER, 0))
    if (used === 'release') hold.release(0)
    else hold.settle(used, 0)
    passed(limits.pass({ ...WHO, authId: 'key-2' }, 1000, 60_000))
  }
})

test('release() gives everything back once', () => {
  const limits = limiter([rule({ requestsPerMinute: 1, tokensPerMinute: 10 })])
  const hold = passed(limits.pass(WHO, 10, 0))
  hold.release(0)
  hold.release(0)
  hold.settle(10, 0)
  passed(limits.pass(WHO, 10, 0))
  assert.equal(limits.pass(WHO, 0, 0)?.kind, 'limited')
})

test('apply() gives each live gateway an equal share', () => {
  const rules = [rule({ requestsPerMinute: 60 })]
  const limits = limiter(rules, 3)
  for (let request = 0; request < 20; request += 1) passed(limits.pass(WHO, 0, 0))
  assert.equal(limits.pass(WHO, 0, 0)?.kind, 'limited')
  limits.apply(rules, 1)
  const now = limits.pass(WHO, 0, 0)
  assert.equal(now?.kind === 'limited' && now.retryMs, 1000, 'a larger share begins as empty as the smaller one was')
})

test('pass() gives every key the limit that each has, unless it has one of its own', () => {
  const limits = limiter([rule({ subject: '*', requestsPerMinute: 1 }), rule({ requestsPerMinute: 3 })])
  for (let request = 0; request < 3; request += 1) passed(limits.pass(WHO, 0, 0))
  assert.equal(limits.pass(WHO, 0, 0)?.kind, 'limited')
  for (const authId of ['key-2', 'key-3']) {
    passed(limits.pass({ authId }, 0, 0))
    assert.equal(limits.pass({ authId }, 0, 0)?.kind, 'limited')
  }
})

test('pass() tells a crowd to come back one after the other, not all at once', () => {
  const limits = limiter([rule({ requestsPerMinute: 60 })])
  for (let request = 0; request < 60; request += 1) passed(limits.pass(WHO, 0, 0))
  const retries = [0, 0, 0, 500].map((now) => {
    const outcome = limits.pass(WHO, 0, now)
    return outcome?.kind === 'limited' ? now + outcome.retryMs : assert.fail()
  })
  assert.deepEqual(retries, [1000, 2000, 3000, 4000])
})

test('states() tells limit, what is left and when it is full again, of the tightest of each kind', () => {
  const limits = limiter([
    rule({ requestsPerMinute: 60, tokensPerMinute: 600 }),
    rule({ scope: 'organization', subject: 'acme', requestsPerMinute: 600 }),
  ])
  const hold = passed(limits.pass(WHO, 100, 0))
  assert.deepEqual(hold.states(0), {
    requests: { limit: 60, remaining: 59, resetMs: 1000 },
    tokens: { limit: 600, remaining: 500, resetMs: 10_000 },
  })
})

test('RateLimiter that takes over lets nobody through again whom the one before has let through', () => {
  const before = limiter([rule({ requestsPerMinute: 10 })], 2)
  for (let taken = 0; taken < 4; taken += 1) passed(before.pass(WHO, 1, 0))
  const left = before.left(0)
  const after = new RateLimiter(left)
  after.apply([rule({ requestsPerMinute: 10 })], 2)
  passed(after.pass(WHO, 1, 0))
  assert.equal(after.pass(WHO, 1, 0)?.kind, 'limited')
  // One that is full is not told of, and starts full.
  assert.deepEqual(limiter([rule({ requestsPerMinute: 10 })]).left(0), {})
  assert.deepEqual(Object.keys(left).length, 1)
})
