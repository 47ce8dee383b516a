import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LedgerInputError } from '../errors.ts'
import { WINDOW_DAYS_MAX, dayText, daysOf, monthsDatedIn, parseDay, periodOfDays, windowBefore } from './day-window.ts'

const DAY = 86_400_000
const anyDay = fc.integer({ min: Date.UTC(1971, 0) / DAY, max: Date.UTC(2199, 0) / DAY }).map((number) => number * DAY)

test('parseDay() after dayText() is identity, and takes nothing but days that there are', () => {
  fc.assert(fc.property(anyDay, (at) => parseDay(dayText(at)) === at))
  for (const text of [
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '0099-01-01',
    '1969-12-31',
    '2200-01-01',
    '9999-12-31',
    '2026-1-1',
    '2026-01-01T00:00:00Z',
    '',
    '２０２６-01-01',
  ]) {
    assert.equal(parseDay(text), undefined, text)
  }
  assert.equal(parseDay('2024-02-29'), Date.UTC(2024, 1, 29))
})

test('R22: daysOf() cuts N inclusive days into N days that follow each other', () => {
  fc.assert(
    fc.property(anyDay, fc.integer({ min: 1, max: WINDOW_DAYS_MAX }), (first, count) => {
      const period = periodOfDays({ from: dayText(first), to: dayText(first + (count - 1) * DAY) })
      const days = daysOf(period)
      assert.equal(days.length, count)
      for (const [index, { start, end }] of days.entries()) {
        assert.deepEqual([start, end], [first + index * DAY, first + (index + 1) * DAY])
        assert.equal(new Date(start).toISOString().slice(11), '00:00:00.000Z')
      }
      assert.equal(days.at(-1)?.end, period.end)
    }),
  )
})

test('periodOfDays() refuses a window that is backwards or longer than a year and a day', () => {
  assert.throws(() => periodOfDays({ from: '2026-01-02', to: '2026-01-01' }), LedgerInputError)
  assert.throws(() => periodOfDays({ from: '2025-01-01', to: '2026-01-03' }), LedgerInputError)
  assert.equal(daysOf(periodOfDays({ from: '2024-01-01', to: '2025-01-01' })).length, WINDOW_DAYS_MAX)
})

test('windowBefore() is as many days, and touches', () => {
  assert.deepEqual(windowBefore({ from: '2026-03-01', to: '2026-03-31' }), { from: '2026-01-29', to: '2026-02-28' })
  assert.deepEqual(windowBefore({ from: '2026-03-01', to: '2026-03-01' }), { from: '2026-02-28', to: '2026-02-28' })
})

test('monthsDatedIn() dates each month on one day: windows that partition time have each month once', () => {
  fc.assert(
    fc.property(anyDay, fc.integer({ min: 40, max: 360 }), fc.integer({ min: 0, max: 359 }), anyDay, (start, length, cut, today) => {
      const end = start + length * DAY
      const middle = start + Math.min(cut, length) * DAY
      const whole = [...monthsDatedIn({ start, end }, today)]
      const parts = [...monthsDatedIn({ start, end: middle }, today), ...monthsDatedIn({ start: middle, end }, today)]
      assert.deepEqual(parts, whole)
    }),
  )
  const april = { start: Date.UTC(2026, 3, 1), end: Date.UTC(2026, 3, 21) }
  assert.deepEqual([...monthsDatedIn(april, Date.UTC(2026, 3, 20, 15))], [['2026-04-01', '2026-04-20']])
  assert.deepEqual([...monthsDatedIn(april, Date.UTC(2026, 4, 2))], [])
  assert.deepEqual([...monthsDatedIn({ ...april, end: Date.UTC(2026, 4, 1) }, Date.UTC(2026, 4, 2))], [['2026-04-01', '2026-04-30']])
})
