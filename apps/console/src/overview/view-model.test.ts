import assert from 'node:assert/strict'
import { test } from 'node:test'
import { breakdownOf } from './breakdown.ts'
import { keyOf } from './chart/use-chosen-day.ts'
import { dayStates, formatHours, isThisMonth, missesTotal, shownCosts } from './view-model.ts'

const HOUR = 1_000_000n
const RANGE = { from: '2026-11-01', to: '2026-11-03' }
const AS_OF = { ratedBefore: '2026-11-02T05:00:00Z', heldRecords: 0 }

test('formatHours() is whole where hours are, and never shows a little as none', () => {
  assert.equal(formatHours(504n * HOUR), '504')
  assert.equal(formatHours(22_857_142n), '22.86')
  assert.equal(formatHours(1n), '0.000001')
  assert.equal(formatHours(432_600_118n * HOUR + 1n), '432.6\u00a0M')
})

test('shownCosts() shows the currency that was asked for, else the own one, and never a sum of two', () => {
  const of = (value: bigint) => breakdownOf(RANGE, [{ day: '2026-11-01', key: 'a', value }])
  const costs = {
    totals: [
      { currency: 'EUR', amount: '1' },
      { currency: 'USD', amount: '2' },
    ],
    asOf: AS_OF,
    byCurrency: new Map([
      ['EUR', of(1n)],
      ['USD', of(2n)],
    ]),
  }
  const shown = (currency: string | undefined, own: string) => shownCosts(costs, RANGE, { currency, own })
  assert.deepEqual([shown('EUR', 'USD').currency, shown('EUR', 'USD').breakdown.total], ['EUR', 1n])
  assert.equal(shown('CHF', 'USD').currency, 'USD')
  assert.equal(shown(undefined, 'CHF').currency, 'EUR')
})

test('dayStates() and isThisMonth() know what is full, partial, waiting, and still to come', () => {
  const breakdown = breakdownOf({ from: '2026-11-01', to: '2026-11-04' }, [])
  assert.deepEqual(dayStates({ breakdown, asOf: AS_OF }, Date.UTC(2026, 10, 3, 12)), ['full', 'partial', 'waiting', 'future'])
  assert.equal(isThisMonth({ from: '2026-11-01', to: '2026-11-22' }, '2026-11-22'), true)
  assert.equal(isThisMonth({ from: '2026-11-02', to: '2026-11-22' }, '2026-11-22'), false)
  assert.equal(isThisMonth({ from: '2026-11-01', to: '2026-11-21' }, '2026-11-22'), false)
})

test('missesTotal() tells when rows, each rounded, do not add up to the total that is shown', () => {
  const cent = 10_000_000n
  const breakdown = (values: readonly bigint[]) =>
    breakdownOf(
      RANGE,
      values.map((value, index) => ({ day: '2026-11-01', key: String(index), value })),
    )
  const { format } = shownCosts({ totals: [], asOf: AS_OF, byCurrency: new Map() }, RANGE, { currency: undefined, own: 'USD' })
  assert.equal(missesTotal(breakdown([cent * 5n + 4_000_000n, cent * 5n + 4_000_000n]), format), true)
  assert.equal(missesTotal(breakdown([cent * 5n, cent * 7n]), format), false)
})

test('keyOf() moves by days and parts, and stays inside', () => {
  const place = { index: 0, segment: undefined, count: 3, parts: 2 }
  assert.deepEqual(keyOf('ArrowLeft', place), { index: 0, segment: undefined })
  assert.deepEqual(keyOf('End', place), { index: 2, segment: undefined })
  assert.deepEqual(keyOf('ArrowUp', { ...place, segment: 1 }), { index: 0, segment: 1 })
  assert.deepEqual(keyOf('ArrowDown', { ...place, segment: 0 }), { index: 0, segment: undefined })
  assert.equal(keyOf('Enter', place), 'open')
  assert.equal(keyOf('Escape', place), 'leave')
  assert.equal(keyOf('a', place), undefined)
})
