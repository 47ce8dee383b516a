import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contains, dayOf, hourOf, monthOf } from './period.ts'

// From the year 0 to 9999: most of it before 1970, where a remainder in place of a floor gives the wrong slot.
const anyInstant = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })

for (const [name, periodOf, sizeMs] of [
  ['hourOf', hourOf, 3_600_000],
  ['dayOf', dayOf, 86_400_000],
] as const) {
  test(`${name}() partitions time`, () => {
    fc.assert(
      fc.property(anyInstant, (at) => {
        const period = periodOf(at)
        assert.ok(contains(period, at))
        assert.equal(period.end - period.start, sizeMs)
        assert.deepEqual(periodOf(period.start), period)
        assert.deepEqual(periodOf(period.end - 1), period)
        assert.equal(periodOf(period.end).start, period.end)
      }),
    )
  })
}

test('hourOf() gives the hour before for the last millisecond before 1970', () => {
  assert.deepEqual(hourOf(-1), { start: -3_600_000, end: 0 })
  assert.deepEqual(hourOf(0), { start: 0, end: 3_600_000 })
})

test('contains() is half-open', () => {
  const period = { start: 10, end: 20 }
  assert.deepEqual(
    [9, 10, 19, 20].map((at) => contains(period, at)),
    [false, true, true, false],
  )
})

test('monthOf() is the calendar month in UTC, December and leap years included', () => {
  assert.deepEqual(monthOf('2026-11'), { start: Date.UTC(2026, 10), end: Date.UTC(2026, 11) })
  assert.deepEqual(monthOf('2026-12'), { start: Date.UTC(2026, 11), end: Date.UTC(2027, 0) })
  assert.deepEqual(monthOf('2028-02'), { start: Date.UTC(2028, 1), end: Date.UTC(2028, 2) })
  assert.deepEqual(monthOf('0099-12')?.end, Date.parse('0100-01-01T00:00:00.000Z'))
  for (const text of ['', '2026', '2026-13', '2026-00', '2026-1', '2026-11-01', ' 2026-11', '26-11', '9999-12']) {
    assert.equal(monthOf(text), undefined, JSON.stringify(text))
  }
})

test('monthOf() months follow each other without a gap', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9998 }), fc.integer({ min: 1, max: 12 }), (year, month) => {
      const text = (y: number, m: number): string => `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}`
      const next = month === 12 ? text(year + 1, 1) : text(year, month + 1)
      assert.equal(monthOf(text(year, month))?.end, monthOf(next)?.start)
    }),
  )
})
