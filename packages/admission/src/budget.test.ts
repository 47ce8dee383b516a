import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BUDGET_PERIODS, windowOf } from './budget.ts'

test('windowOf() puts every instant into exactly one window of each period', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(2100, 0) }), fc.constantFrom(...BUDGET_PERIODS), (at, period) => {
      const window = windowOf(period, at)
      assert(window.start <= at && at < window.end)
      assert.deepEqual(windowOf(period, window.start), window)
      if (window.end < Infinity) {
        assert.equal(windowOf(period, window.end).start, window.end)
        assert.deepEqual(windowOf(period, window.end - 1), window)
      }
    }),
  )
})

test('windowOf() has the months of the calendar, UTC', () => {
  const at = (text: string): number => Date.parse(text)
  assert.deepEqual(windowOf('month', at('2026-12-31T23:59:59.999Z')), { start: at('2026-12-01'), end: at('2027-01-01') })
  assert.deepEqual(windowOf('month', at('2028-02-29T00:00:00Z')), { start: at('2028-02-01'), end: at('2028-03-01') })
})
