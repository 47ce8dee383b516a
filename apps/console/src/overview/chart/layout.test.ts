import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { barPath, labelledDays, slotsOf, valueScale } from './layout.ts'

test('valueScale() has zero in it, three to six ticks, and one unit where all is zero', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), fc.bigInt({ min: -(10n ** 15n), max: 0n }), (top, bottom) => {
      const { y, ticks } = valueScale({ top, bottom, one: 10n ** 9n }, { height: 240, count: 4 })
      assert.ok(ticks.some(({ value }) => value === 0n))
      assert.ok(ticks.length >= 2 && ticks.length <= 9, String(ticks.length))
      assert.ok(y(top) >= 13.9 && y(top) <= y(0n) && y(0n) <= y(bottom) && y(bottom) <= 214.1)
    }),
  )
  const { ticks } = valueScale({ top: 0n, bottom: 0n, one: 10n ** 9n }, { height: 240, count: 2 })
  assert.deepEqual([ticks[0]?.value, ticks.at(-1)?.value], [0n, 10n ** 9n])
})

test('slotsOf() fills the width, with bars of at most 28 pixels', () => {
  for (const count of [1, 7, 31, 367]) {
    const slots = slotsOf(count, 900)
    assert.equal(slots.length, count)
    assert.ok(Math.abs((slots.at(-1)?.left ?? 0) + (slots.at(-1)?.width ?? 0) - 900) < 1e-6)
    assert.ok(slots.every(({ barWidth, width }) => barWidth <= 28 && (barWidth <= width || barWidth === 1)))
  }
})

test('labelledDays() has the last day, and no two labels closer than they are wide', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 367 }), fc.integer({ min: 200, max: 1200 }), fc.boolean(), (count, width, wide) => {
      const found = labelledDays(count, width, wide)
      assert.equal(found.at(-1), count - 1)
      for (const [index, day] of found.entries()) {
        if (index > 0) assert.ok((day - (found[index - 1] ?? 0)) * (width / count) >= 63.9)
      }
    }),
  )
})

test('barPath() draws a closed outline, also of one pixel', () => {
  assert.equal(barPath({ x: 0, y: 0, width: 4, height: 3 }, 'none'), 'M0,0H4V3H0Z')
  assert.match(barPath({ x: 0, y: 0, width: 1, height: 1 }, 'top'), /^M0,1V0\.5Q.*Z$/)
  assert.match(barPath({ x: 0, y: 0, width: 8, height: 9 }, 'bottom'), /V7Q.*Z$/)
})
