import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RateBucket } from './rate-bucket.ts'

test('take() lets through at most the limit in any minute, however calls come', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300 }),
      fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 1500 }),
      (perMinute, gaps) => {
        const bucket = new RateBucket(perMinute, 0)
        const passed: number[] = []
        let now = 0
        for (const gap of gaps) {
          now += gap
          passed.push(now + bucket.take(now))
        }
        passed.sort((left, right) => left - right)
        for (let index = perMinute; index < passed.length; index += 1) {
          const [first = 0, last = 0] = [passed[index - perMinute], passed[index]]
          assert.ok(last - first >= 60_000 - 1, `${perMinute + 1} calls within ${last - first} ms`)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('waitMs() says what take() will, and takes nothing', () => {
  const bucket = new RateBucket(60, 0)
  for (let count = 0; count < 20; count += 1) {
    const said = bucket.waitMs(0)
    assert.equal(bucket.waitMs(0), said)
    assert.equal(bucket.take(0), said)
  }
})

test('take() gives nothing for a clock that goes back', () => {
  const bucket = new RateBucket(20, 60_000)
  assert.equal(bucket.take(60_000), 0)
  assert.equal(bucket.take(60_000), 0)
  assert.ok(bucket.take(0) > 0)
})
