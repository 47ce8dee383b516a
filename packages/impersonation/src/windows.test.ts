import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backOffMs, windowsOf } from './windows.ts'

for (const [lifeS, earliestS, latestS, hardS] of [
  [2, 0.75, 1, 1.5],
  [20, 7.5, 10, 18],
  [60, 45, 48, 57],
  [300, 225, 240, 285],
  [3600, 3225, 3300, 3570],
] as const) {
  test(`windowsOf() renews ${lifeS} s after ${earliestS} to ${latestS} s and ends it after ${hardS} s (R-7)`, () => {
    assert.equal(windowsOf(lifeS * 1000, 0).softMs / 1000, latestS)
    assert.equal(windowsOf(lifeS * 1000, 1).softMs / 1000, earliestS)
    assert.equal(windowsOf(lifeS * 1000, 0).hardMs / 1000, hardS)
  })
}

test('windowsOf() leaves time to use a token of any life, to renew it, and to get to the server with it', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 86_400_000, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (lifeMs, random) => {
      const { softMs, hardMs } = windowsOf(lifeMs, random)
      assert.ok(softMs > 0 && softMs < hardMs && hardMs < lifeMs, `${softMs} ${hardMs} ${lifeMs}`)
    }),
  )
})

test('backOffMs() doubles up to its cap, and is never longer', () => {
  const at = (failures: number): number => backOffMs(failures, { baseMs: 1000, capMs: 30_000, random: 1 })
  assert.deepEqual([0, 1, 2, 5, 1000].map(at), [1000, 2000, 4000, 30_000, 30_000])
  assert.equal(backOffMs(3, { baseMs: 1000, capMs: 30_000, random: 0 }), 0)
})
