import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addDays } from '../format/dates.ts'
import { breakdownOf, cumulativeOf, largeBreakdownOf } from './breakdown.ts'
import type { Cell } from './breakdown.ts'
import { driversOf } from './drivers.ts'
import { OTHER_KEY, STACKED_MAX, dayStateOf, stackOf } from './stack.ts'

const RANGE = { from: '2026-11-01', to: '2026-11-22' }
const NONE: ReadonlySet<string> = new Set()

const cell = fc.record({
  day: fc.integer({ min: 0, max: 21 }).map((index) => addDays(RANGE.from, index)),
  key: fc.constantFrom('', ...'abcdefghijklmnop'.split('')),
  value: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 20n }),
})
const cells = fc.array(cell, { maxLength: 200 })

const sum = (values: Iterable<bigint>): bigint => [...values].reduce((total, value) => total + value, 0n)

test('chart = table = total: the segments of all columns, the rows and the days add up to the same, to the nano', () => {
  fc.assert(
    fc.property(cells, (given) => {
      const breakdown = breakdownOf(RANGE, given)
      const stack = stackOf(breakdown, { hidden: NONE })
      const whole = sum(given.map(({ value }) => value))
      assert.equal(breakdown.total, whole)
      assert.equal(sum(breakdown.series.map(({ total }) => total)), whole)
      assert.equal(sum(stack.columns.flatMap(({ segments }) => segments.map(({ value }) => value))), whole)
      assert.equal(cumulativeOf(breakdown).at(-1), whole)
      assert.equal(stack.shown.length + stack.others.length, breakdown.series.length)
      for (const { day, total, segments } of stack.columns) {
        assert.equal(sum(segments.map(({ value }) => value)), total)
        assert.equal(total, sum(given.filter((each) => each.day === day).map(({ value }) => value)))
      }
    }),
  )
})

test('stackOf() draws the same columns when only the days of the largest keys were read', () => {
  fc.assert(
    fc.property(cells, (given) => {
      const whole = breakdownOf(RANGE, given)
      const size = (value: bigint): bigint => (value < 0n ? -value : value)
      const largest = new Set(
        whole.series
          .toSorted((a, b) => (size(a.total) > size(b.total) ? -1 : size(a.total) < size(b.total) ? 1 : a.key < b.key ? -1 : 1))
          .slice(0, STACKED_MAX + 4)
          .map(({ key }) => key),
      )
      const large = largeBreakdownOf(RANGE, {
        totals: whole.series.map(({ key, total }) => ({ key, value: total })),
        dayTotals: [...whole.dayTotals].map(([day, value]) => ({ day, value })),
        cells: whole.series.flatMap(({ key, byDay }) =>
          largest.has(key) ? [...(byDay ?? [])].map(([day, value]) => ({ key, day, value })) : [],
        ),
      })
      assert.deepEqual(stackOf(large, { hidden: NONE }).columns, stackOf(whole, { hidden: NONE }).columns)
    }),
  )
})

test('stackOf() shows the eight costliest in one order on all days, and stacks what is below zero under the axis', () => {
  const days = ['2026-11-01', '2026-11-02']
  const given = days.flatMap((day, at) =>
    Array.from({ length: 10 }, (_, index): Cell => ({ day, key: `m${index}`, value: BigInt((index + 1) * (at === 0 ? 1 : 11 - index)) })),
  )
  const stack = stackOf(
    breakdownOf({ from: days[0] ?? '', to: days[1] ?? '' }, [...given, { day: '2026-11-02', key: 'm9', value: -50n }]),
    {
      hidden: NONE,
    },
  )
  assert.equal(stack.shown.length, 8)
  const orders = stack.columns.map(({ segments }) => segments.filter(({ value }) => value > 0n).map(({ key }) => key))
  assert.deepEqual(orders[0], [...stack.shown.map(({ key }) => key), undefined])
  assert.ok((orders[1] ?? []).every((key, index, all) => index === 0 || all.indexOf(key) === index))
  const below = stack.columns[1]?.segments.find(({ value }) => value < 0n)
  assert.deepEqual([below?.start, below?.end], [0n, below?.value])
  assert.equal(stack.bottom, below?.value)
})

test('stackOf() leaves hidden keys out of columns, never out of totals', () => {
  const given = 'abcdefghij'.split('').map((key, index): Cell => ({ day: '2026-11-01', key, value: BigInt(index + 1) }))
  const breakdown = breakdownOf(RANGE, given)
  const stack = stackOf(breakdown, { hidden: new Set(['j', OTHER_KEY]) })
  assert.equal(stack.columns[0]?.total, 55n)
  assert.equal(stack.columns[0]?.top, 55n - 10n - 3n)
})

test('breakdownOf() sums a key that comes twice, and breaks ties by key', () => {
  const breakdown = breakdownOf(RANGE, [
    { day: '2026-11-01', key: 'b', value: 2n },
    { day: '2026-11-01', key: 'a', value: 1n },
    { day: '2026-11-01', key: 'a', value: 1n },
  ])
  assert.deepEqual(
    breakdown.series.map(({ key, total }) => [key, total]),
    [
      ['a', 2n],
      ['b', 2n],
    ],
  )
})

test('driversOf() adds up to the difference, with keys that are gone and keys that are new', () => {
  fc.assert(
    fc.property(cells, cells, (now, before) => {
      const [one, other] = [breakdownOf(RANGE, now), breakdownOf(RANGE, before)]
      const { list, change } = driversOf(one.series, other.series)
      assert.equal(change, one.total - other.total)
      assert.equal(sum(list.map((each) => each.change)), change)
      assert.ok(list.length <= 11)
      assert.ok(list.slice(0, 10).every(({ key }) => key !== undefined))
    }),
  )
})

test('dayStateOf() tells a day without usage from one that nobody has rated', () => {
  const day = Date.UTC(2026, 10, 14)
  const HOUR = 3_600_000
  const of = (ratedBefore: number, now: number, hasData = false) => dayStateOf(day, { ratedBefore, now, hasData })
  assert.equal(of(day + 24 * HOUR, day + 30 * HOUR), 'full')
  assert.equal(of(day + 5 * HOUR, day + 30 * HOUR), 'partial')
  assert.equal(of(day - HOUR, day + 30 * HOUR), 'waiting')
  assert.equal(of(day - HOUR, day + 30 * HOUR, true), 'partial')
  assert.equal(of(day + 5 * HOUR, day + 5 * HOUR), 'partial')
  assert.equal(of(day - HOUR, day - HOUR), 'future')
})
