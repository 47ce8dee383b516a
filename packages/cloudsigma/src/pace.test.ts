import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PaceExceeded, createPace } from './pace.ts'

const signal = new AbortController().signal
const enter = { patienceMs: 30_000, signal }

test('enter() never lets more than inFlightMax go at a time, and hands places on in order', async () => {
  const pace = createPace({ inFlightMax: 2, now: () => 0, wait: async () => {} })
  let inFlight = 0
  let most = 0
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      using place = await pace.enter('GET', enter)
      assert.ok(place !== undefined)
      inFlight += 1
      most = Math.max(most, inFlight)
      order.push(index)
      await new Promise((resolve) => setImmediate(resolve))
      inFlight -= 1
    }),
  )
  assert.equal(most, 2)
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, index) => index),
  )
})

test('enter() refuses at once what is one more than may wait, and what cannot go before its deadline', async () => {
  const pace = createPace({ inFlightMax: 1, queueMax: 0, now: () => 0, wait: async () => {} })
  using _ = await pace.enter('GET', enter)
  await assert.rejects(pace.enter('GET', enter), PaceExceeded)
  const paused = createPace({ now: () => 0, wait: async () => {} })
  paused.pause(60_000)
  await assert.rejects(paused.enter('GET', enter), (error: unknown) => error instanceof PaceExceeded && error.retryAfterMs === 60_000)
})

test('enter() gives up its place in the queue when its caller does', async () => {
  const pace = createPace({ inFlightMax: 1, now: () => 0, wait: async () => {} })
  const first = await pace.enter('GET', enter)
  const leaving = new AbortController()
  const second = pace.enter('GET', { patienceMs: 1, signal: leaving.signal })
  const third = pace.enter('GET', enter)
  leaving.abort(new Error('left'))
  await assert.rejects(second, /left/)
  first[Symbol.dispose]()
  // Twice is once: the place must not be given to two.
  first[Symbol.dispose]()
  ;(await third)[Symbol.dispose]()
})

test('3.3: enter() counts DELETE apart, at a tenth of the rest, as published', async () => {
  const waits: number[] = []
  const pace = createPace({ inFlightMax: 5000, now: () => 0, wait: async (ms) => void waits.push(ms) })
  for (let count = 0; count < 100; count += 1) await pace.enter('DELETE', enter)
  assert.deepEqual(waits, [])
  await pace.enter('DELETE', enter)
  assert.equal(waits.length, 1)
  for (let count = 0; count < 1000; count += 1) await pace.enter(count % 2 === 0 ? 'GET' : 'POST', enter)
  assert.equal(waits.length, 1)
  await pace.enter('PUT', enter)
  assert.equal(waits.length, 2)
})
