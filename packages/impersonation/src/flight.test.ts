import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock, settle } from '../test/support/fake-clock.ts'
import { startFlight } from './flight.ts'
import { createTurnstile } from './turnstile.ts'

function flight(): {
  flight: ReturnType<typeof startFlight<string>>
  land: (value: string) => void
  signal: () => AbortSignal
  clock: ReturnType<typeof createFakeClock>
} {
  const clock = createFakeClock()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let own: AbortSignal | undefined
  const started = startFlight(
    (signal) => {
      own = signal
      signal.addEventListener('abort', () => reject(signal.reason as Error))
      return promise
    },
    { clock, deadlineMs: 1000 },
  )
  return { flight: started, land: resolve, signal: () => own ?? assert.fail(), clock }
}

test('startFlight() goes on for the others when one of them leaves', async () => {
  const { flight: shared, land, signal } = flight()
  const leaving = new AbortController()
  const first = shared.join(leaving.signal)
  const second = shared.join(new AbortController().signal)
  leaving.abort(new Error('gone'))
  await assert.rejects(first, /gone/)
  assert.equal(signal().aborted, false)
  land('token')
  assert.equal(await second, 'token')
})

test('startFlight() ends when the last one leaves', async () => {
  const { flight: shared, signal } = flight()
  const leaving = new AbortController()
  const waiting = [shared.join(leaving.signal), shared.join(leaving.signal)]
  leaving.abort(new Error('gone'))
  assert.equal(shared.isEnding, false)
  await Promise.allSettled(waiting)
  assert.deepEqual([signal().aborted, shared.isEnding], [true, true])
})

test('startFlight() has a deadline of its own, whoever waits', async () => {
  const { flight: shared, clock } = flight()
  const waiting = shared.join()
  clock.advance(1000)
  await assert.rejects(waiting, /took longer than 1000 ms/)
  assert.equal(clock.pending, 0)
})

test('startFlight() leaves no unhandled rejection behind when nobody ever joined', async () => {
  const { clock } = flight()
  clock.advance(1000)
  await settle()
})

test('createTurnstile() lets in so many, then the others in the order in which they came', async () => {
  const turnstile = createTurnstile({ insideMax: 2, waitingMax: 10 })
  const { signal } = new AbortController()
  const entered: number[] = []
  const leaves: (() => void)[] = []
  for (let guest = 0; guest < 5; guest += 1)
    void turnstile.enter(signal).then((leave) => {
      entered.push(guest)
      leaves.push(leave)
    })
  await settle()
  assert.deepEqual([entered, turnstile.inside, turnstile.waiting], [[0, 1], 2, 3])
  leaves[0]?.()
  leaves[0]?.()
  await settle()
  assert.deepEqual([entered, turnstile.inside, turnstile.waiting], [[0, 1, 2], 2, 2])
})

test('createTurnstile() forgets who left the queue, and refuses when it is full', async () => {
  const turnstile = createTurnstile({ insideMax: 1, waitingMax: 1 })
  const { signal } = new AbortController()
  const leave = await turnstile.enter(signal)
  const leaving = new AbortController()
  const waiting = turnstile.enter(leaving.signal)
  await assert.rejects(turnstile.enter(signal), /1 others wait/)
  leaving.abort(new Error('gone'))
  await assert.rejects(waiting, /gone/)
  leave()
  assert.equal(turnstile.inside, 0)
})
