import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatInstant, parseInstant } from './instant.ts'

const MIN = Date.parse('0000-01-01T00:00:00.000Z')
const MAX = Date.parse('9999-12-31T23:59:59.999Z')

test('parseInstant() is the inverse of formatInstant()', () => {
  fc.assert(fc.property(fc.integer({ min: MIN, max: MAX }), (at) => parseInstant(formatInstant(at)) === at))
})

test('formatInstant() writes Z, and milliseconds only where there are any', () => {
  assert.equal(formatInstant(0), '1970-01-01T00:00:00Z')
  assert.equal(formatInstant(-1), '1969-12-31T23:59:59.999Z')
  assert.equal(formatInstant(Date.UTC(2026, 10, 1)), '2026-11-01T00:00:00Z')
  for (const at of [0.5, Number.NaN, Infinity, MIN - 1, MAX + 1]) assert.throws(() => formatInstant(at), RangeError)
})

test('parseInstant() takes what RFC 3339 section 5.8 gives as examples', () => {
  assert.equal(parseInstant('1985-04-12T23:20:50.52Z'), Date.UTC(1985, 3, 12, 23, 20, 50, 520))
  assert.equal(parseInstant('1996-12-19T16:39:57-08:00'), Date.UTC(1996, 11, 20, 0, 39, 57))
  assert.equal(parseInstant('1937-01-01T12:00:27.87+00:20'), Date.UTC(1937, 0, 1, 11, 40, 27, 870))
  assert.equal(parseInstant('1985-04-12t23:20:50z'), Date.UTC(1985, 3, 12, 23, 20, 50))
  assert.equal(parseInstant('2026-06-16T14:00:00+00:00'), Date.UTC(2026, 5, 16, 14))
})

test('parseInstant() cuts off what is finer than a millisecond, also before 1970', () => {
  assert.equal(parseInstant('2026-11-01T00:00:00.123999999Z'), Date.UTC(2026, 10, 1, 0, 0, 0, 123))
  assert.equal(parseInstant('1969-12-31T23:59:59.9999Z'), -1)
})

test('parseInstant() agrees with Date on every instant and offset', () => {
  const anyOffset = fc.integer({ min: -23 * 60, max: 23 * 60 })
  fc.assert(
    fc.property(fc.integer({ min: -(10 ** 13), max: 10 ** 14 }), anyOffset, (at, offsetMinutes) => {
      const size = Math.abs(offsetMinutes)
      const offset = `${offsetMinutes < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
      const local = new Date(at + offsetMinutes * 60_000).toISOString().slice(0, -1)
      assert.equal(parseInstant(`${local}${offset}`), at)
    }),
  )
})

test('parseInstant() refuses what is not an RFC 3339 date-time with an offset', () => {
  const refused = [
    '',
    '2026-11-01',
    '2026-11-01T00:00:00',
    '2026-11-01 00:00:00Z',
    '2026-11-01T00:00Z',
    '2026-11-01T00:00:00+0100',
    '2026-11-01T00:00:00+01',
    '2026-11-01T00:00:00.Z',
    '2026-11-01T24:00:00Z',
    '2026-11-01T00:60:00Z',
    '2016-12-31T23:59:60Z',
    '2026-11-01T00:00:00+24:00',
    '2026-11-01T00:00:00+00:60',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '2027-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '+002026-11-01T00:00:00Z',
    ' 2026-11-01T00:00:00Z',
    '2026-11-01T00:00:00Z\n',
    '0000-01-01T00:00:00+00:01',
    '1793491200000',
  ]
  for (const text of refused) assert.equal(parseInstant(text), undefined, JSON.stringify(text))
  assert.equal(parseInstant('2028-02-29T00:00:00Z'), Date.UTC(2028, 1, 29))
  assert.equal(formatInstant(parseInstant('0099-01-01T00:00:00Z') ?? Number.NaN), '0099-01-01T00:00:00Z')
})

test('parseInstant() takes a date as the start of its UTC day only where asked', () => {
  assert.equal(parseInstant('2026-11-01', { allowDate: true }), Date.UTC(2026, 10, 1))
  assert.equal(parseInstant('2026-02-30', { allowDate: true }), undefined)
  assert.equal(parseInstant('2026-11-01T01:00:00Z', { allowDate: true }), Date.UTC(2026, 10, 1, 1))
  assert.equal(parseInstant('2026-11-01', { allowDate: false }), undefined)
})
