import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDurations, createMemories } from './memory.ts'
import type { Begun } from './memory.ts'

const begun = (at: number): Begun => ({ at, what: 'clone zrh', notYetAt: at })

/** How often something that takes `ms` is looked at, and how late its end is seen. */
function watch(
  durations: ReturnType<typeof createDurations>,
  { at, ms }: { readonly at: number; readonly ms: number },
): { looks: number; lateMs: number } {
  const thing = begun(at)
  let [now, looks] = [at, 0]
  for (;;) {
    now += Math.max(1, durations.waitMs(thing, now))
    looks += 1
    durations.look(thing, now)
    if (now - at >= ms) {
      durations.done(thing, now)
      return { looks, lateMs: now - at - ms }
    }
    thing.notYetAt = now
  }
}

test('waitMs() learns how long a thing takes: then one look is enough, and it is not late', () => {
  for (const ms of [500, 5_000, 300_000]) {
    const durations = createDurations()
    const first = watch(durations, { at: 0, ms })
    assert.ok(first.looks < 60 && first.lateMs <= Math.max(1_000, ms * 0.16), JSON.stringify(first))
    const second = watch(durations, { at: 10 ** 6, ms })
    assert.ok(second.looks <= 2 && second.lateMs <= Math.max(1_100, ms * 0.2), JSON.stringify(second))
  }
})

test('waitMs() sends one ahead where nobody knows: a thousand that began together cost few looks', () => {
  const durations = createDurations()
  const things = Array.from({ length: 1_000 }, () => begun(0))
  let looks = 0
  for (let now = 0; now < 20_000; now += 50) {
    for (const thing of things) {
      if (durations.waitMs(thing, now) > 0) continue
      looks += 1
      durations.look(thing, now)
      thing.notYetAt = now
    }
  }
  assert.ok(looks < 100, `${looks} looks`)
})

test('waitMs() follows a cloud that becomes faster or slower', () => {
  const durations = createDurations()
  watch(durations, { at: 0, ms: 5_000 })
  watch(durations, { at: 10_000, ms: 20_000 })
  assert.ok(watch(durations, { at: 100_000, ms: 20_000 }).looks <= 2)
  for (let round = 0; round < 400; round += 1) watch(durations, { at: 10 ** 6 * round, ms: 2_000 })
  assert.ok(watch(durations, { at: 10 ** 9, ms: 2_000 }).lateMs < 2_000)
})

test('createMemories() doubts what it meets: another process may have made something (R-12)', () => {
  const memories = createMemories()
  assert.equal(memories.of('a', 5).doubtSince, 5)
  memories.of('a', 6).doubtSince = undefined
  assert.equal(memories.of('a', 7).doubtSince, undefined)
  memories.forget('a')
  assert.equal(memories.of('a', 8).doubtSince, 8)
})

test('waitMs() does not learn the queue of an owner: looks that come late make nobody wait longer', () => {
  const durations = createDurations()
  // Clones take 40 ms; four workers of an owner look at two hundred of them one after the other, 300 ms each.
  const things = Array.from({ length: 200 }, () => begun(0))
  let now = 20_000
  // All four look before the first of them is answered.
  for (const thing of things.slice(0, 40)) durations.look(thing, now)
  for (const thing of things) {
    now += Math.max(75, durations.waitMs(thing, now))
    durations.look(thing, now)
    durations.done(thing, now)
  }
  assert.ok(durations.waitMs(begun(now), now) <= 1_100, `${durations.waitMs(begun(now), now)} ms`)
  assert.ok(now < 40_000, `${now} ms`)
})
