import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SandboxClock } from './clock.ts'

const never = new AbortController().signal

test('wait() ends when the clock is moved past it, frozen or not, and not before', async () => {
  for (const mode of ['frozen', 'running'] as const) {
    const clock = new SandboxClock(mode)
    let isOver = false
    const waiting = clock.wait(60_000, never).then(() => (isOver = true))
    clock.advance(59_000)
    await Promise.resolve()
    assert.equal(isOver, false, mode)
    clock.advance(1000)
    await waiting
    assert.equal(isOver, true, mode)
  }
})

test('wait() ends at once when nobody waits any more, or there is nothing to wait for', async () => {
  const clock = new SandboxClock('frozen')
  const leaving = new AbortController()
  const waiting = clock.wait(60_000, leaving.signal)
  leaving.abort()
  await Promise.all([waiting, clock.wait(0, never), clock.wait(5, leaving.signal)])
})

test('a clock never begins at another instant than it was told to, however long that takes', (t) => {
  let real = 5_000_000
  t.mock.method(Date, 'now', () => (real += 7))
  assert.equal(new SandboxClock('frozen', 1_000_000).now(), 1_000_000)
})

test('freeze() and run() never turn the clock back', () => {
  const clock = new SandboxClock('frozen', 1_000_000)
  assert.equal(clock.now(), 1_000_000)
  clock.advance(500)
  const frozen = clock.now()
  clock.run()
  assert.equal(clock.mode, 'running')
  assert.ok(clock.now() >= frozen)
  clock.freeze()
  const again = clock.now()
  assert.equal(clock.now(), again)
  assert.ok(again >= frozen)
})
