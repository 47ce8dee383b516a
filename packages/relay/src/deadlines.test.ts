import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'

function member(deadlines: Deadlines<Timed>, deadlineMs: number, timedOut: (self: Timed) => void): Timed {
  const self: Timed = { listIndex: -1, deadlineMs, timedOut: () => timedOut(self) }
  deadlines.add(self)
  return self
}

test('Deadlines tells those whose time is over, which may leave meanwhile, and nobody else', async () => {
  const deadlines = new Deadlines<Timed>()
  deadlines.expect(20)
  const told: string[] = []
  const now = performance.now()
  const leave =
    (name: string) =>
    (self: Timed): void => {
      told.push(name)
      deadlines.remove(self)
    }
  member(deadlines, 0, leave('none'))
  member(deadlines, now - 1, leave('first'))
  member(deadlines, now + 3_600_000, leave('far'))
  member(deadlines, now - 1, leave('second'))
  const done = Promise.withResolvers<void>()
  const last = member(deadlines, now + 40, () => {
    assert.ok(performance.now() >= last.deadlineMs, 'not before its time')
    done.resolve()
  })
  // Its timer keeps no process alive.
  const alive = setInterval(() => {}, 1_000)
  await done.promise
  clearInterval(alive)
  assert.deepEqual(told, ['first', 'second'])
  assert.equal(deadlines.all().length, 3)
  deadlines.stop()
})

test('Deadlines does not take time in which the process did not run for silence', async () => {
  const deadlines = new Deadlines<Timed>()
  deadlines.expect(40)
  const alive = setInterval(() => {}, 1_000)
  const told = Promise.withResolvers<string>()
  const silent = member(deadlines, performance.now() + 40, () => told.resolve('timed out'))
  const until = performance.now() + 300
  while (performance.now() < until) {
    // Nothing else runs, as on a machine that has no time for this process.
  }
  // What had come meanwhile would be read by now.
  const read = new Promise<string>((resolve) => setImmediate(() => setImmediate(() => resolve('read'))))
  assert.equal(await Promise.race([told.promise, read]), 'read')
  assert.ok(silent.deadlineMs > until, 'the time that was lost is given back')
  assert.equal(await told.promise, 'timed out')
  clearInterval(alive)
  deadlines.stop()
})
