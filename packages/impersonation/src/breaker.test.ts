import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker } from './breaker.ts'

const fail = (breaker: Breaker, now: number, retryAfterMs?: number): void => breaker.failed(now, { random: 1, retryAfterMs })

test('Breaker opens after five failures in a row, and one success in between begins the count anew', () => {
  const breaker = new Breaker()
  for (let count = 0; count < 4; count += 1) fail(breaker, 0)
  breaker.succeeded()
  for (let count = 0; count < 4; count += 1) fail(breaker, 0)
  assert.equal(breaker.state, 'closed')
  fail(breaker, 0)
  assert.equal(breaker.state, 'open')
  assert.equal(breaker.tryEnter(9_999), false)
})

test('Breaker lets one probe through after its rest, and nobody else until that has reported', () => {
  const breaker = new Breaker()
  for (let count = 0; count < 5; count += 1) fail(breaker, 0)
  assert.equal(breaker.restMs(4_000), 6_000)
  assert.equal(breaker.tryEnter(10_000), true)
  assert.equal(breaker.state, 'half_open')
  assert.equal(breaker.tryEnter(10_000), false)
  breaker.succeeded()
  assert.equal(breaker.tryEnter(10_000), true)
})

test('Breaker rests twice as long after each probe that fails, at most a minute', () => {
  const breaker = new Breaker()
  for (let count = 0; count < 5; count += 1) fail(breaker, 0)
  let now = 0
  const rests: number[] = []
  for (let round = 0; round < 5; round += 1) {
    rests.push(breaker.restMs(now))
    now += breaker.restMs(now)
    assert.ok(breaker.tryEnter(now))
    fail(breaker, now)
  }
  assert.deepEqual(rests, [10_000, 20_000, 40_000, 60_000, 60_000])
})

test('Breaker leaves a peer alone at once for as long as it asks', () => {
  const breaker = new Breaker()
  fail(breaker, 0, 120_000)
  assert.equal(breaker.restMs(0), 120_000)
})

test('Breaker gives the probe to the next one when its caller left', () => {
  const breaker = new Breaker()
  for (let count = 0; count < 5; count += 1) fail(breaker, 0)
  assert.ok(breaker.tryEnter(10_000))
  breaker.abandoned(10_000)
  assert.ok(breaker.tryEnter(10_000))
})

test('Breaker never lets two through while it is not closed, and never stays open for ever', () => {
  const step = fc.constantFrom('enter', 'success', 'failure', 'abandon', 'wait')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (script) => {
      const breaker = new Breaker()
      let now = 0
      let probes = 0
      for (const each of script) {
        if (each === 'wait') now += 30_000
        else if (each === 'enter') {
          const wasClosed = breaker.state === 'closed'
          if (breaker.tryEnter(now) && !wasClosed) probes += 1
          if (wasClosed) probes = 0
          assert.ok(probes <= 1)
        } else {
          probes = 0
          if (each === 'success') breaker.succeeded()
          else if (each === 'failure') fail(breaker, now)
          else breaker.abandoned(now)
        }
      }
      if (breaker.state !== 'half_open') assert.ok(breaker.tryEnter(now + 60_000))
    }),
  )
})
