import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addDays, daysBetween } from '../format/dates.ts'
import { lookAt, lookOf } from './look.ts'
import { checkRange, comparisonOf, presetsOf, rangeName } from './ranges.ts'

test('presetsOf() gives ranges that can be shown, on every day of years', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), (index) => {
      const today = addDays('2023-12-28', index)
      for (const { id, from, to } of presetsOf(today)) {
        assert.equal(checkRange(from, to), undefined, id)
        assert.ok(to <= today, id)
      }
    }),
  )
  assert.equal(rangeName({ from: '2026-11-01', to: '2026-11-22' }, '2026-11-22'), 'Month to date')
  assert.equal(rangeName({ from: '2026-11-02', to: '2026-11-22' }, '2026-11-22'), 'Total')
})

test('comparisonOf() compares months with months, a part of one with that part, and else as many days', () => {
  const previous = (from: string, to: string) => Object.values(comparisonOf({ from, to }, 'previous') ?? {})
  assert.deepEqual(previous('2026-11-01', '2026-11-22'), ['2026-10-01', '2026-10-22'])
  assert.deepEqual(previous('2026-11-01', '2026-11-30'), ['2026-10-01', '2026-10-31'])
  assert.deepEqual(previous('2026-07-01', '2026-09-30'), ['2026-04-01', '2026-06-30'])
  assert.deepEqual(previous('2026-03-01', '2026-03-30'), ['2026-02-01', '2026-02-28'])
  assert.deepEqual(previous('2026-11-16', '2026-11-22'), ['2026-11-09', '2026-11-15'])
  assert.deepEqual(Object.values(comparisonOf({ from: '2024-02-29', to: '2024-03-01' }, 'year') ?? {}), ['2023-02-28', '2023-03-01'])
  assert.equal(comparisonOf({ from: '2026-11-01', to: '2026-11-22' }, 'none'), undefined)
})

test('comparisonOf() ends before its range begins, and is as long but for the lengths of months', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 366 }), (start, length) => {
      const from = addDays('2023-01-01', start)
      const to = addDays(from, length)
      const before = comparisonOf({ from, to }, 'previous')
      assert.ok(before !== undefined && before.from <= before.to && before.to < from)
      assert.ok(Math.abs(daysBetween(before.from, before.to) - length - 1) <= 5)
    }),
  )
})

test('checkRange() says what is wrong with a range', () => {
  assert.equal(checkRange('2026-02-30', '2026-03-01'), 'none')
  assert.equal(checkRange('2026-03-02', '2026-03-01'), 'backwards')
  assert.equal(checkRange('2025-11-01', '2026-11-22'), 'too_long')
})

test('lookOf() gives 24 places 24 looks, and depends on the catalogue alone', () => {
  const looks = Array.from({ length: 24 }, (_, index) => JSON.stringify(lookAt(index)))
  assert.equal(new Set(looks).size, 24)
  const order = new Map([
    ['llama', 0],
    ['mistral', 9],
  ])
  assert.deepEqual(lookOf('mistral', order), { slot: 2, texture: 'lines' })
  assert.deepEqual(lookOf('mistral', new Map([...order, ['new', 10]])), { slot: 2, texture: 'lines' })
  assert.deepEqual(lookOf('unknown', order), lookOf('unknown', new Map()))
  assert.deepEqual(lookOf('', order), { slot: 'other', texture: 'lines' })
})
