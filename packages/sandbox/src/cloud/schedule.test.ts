import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Schedule } from './schedule.ts'

test('settle() lets everything happen that is due, in order, each at its own instant, and nothing twice', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 50 }), fc.array(fc.nat(60), { maxLength: 6 }), (delays, steps) => {
      let now = 0
      const schedule = new Schedule(() => now)
      const happened: { at: number; index: number }[] = []
      for (const [index, delay] of delays.entries()) schedule.after(delay, () => happened.push({ at: schedule.now(), index }))
      for (const step of steps) {
        now += step
        schedule.settle()
        assert.equal(happened.length, delays.filter((delay) => delay <= now).length)
      }
      const expected = delays.map((at, index) => ({ at, index })).toSorted((a, b) => a.at - b.at || a.index - b.index)
      assert.deepEqual(happened, expected.slice(0, happened.length))
    }),
  )
})

test('settle() lets what was planned by what happens happen too, counted from the instant of that', () => {
  let now = 0
  const schedule = new Schedule(() => now)
  const at: number[] = []
  const again = (): void => {
    at.push(schedule.now())
    schedule.after(10, again)
  }
  schedule.after(10, again)
  now = 35
  schedule.settle()
  assert.deepEqual(at, [10, 20, 30])
  assert.equal(schedule.now(), 35)
})
