import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatInstant, parseInstant } from './value-types.ts'

test('parseInstant() reads every form the server writes in UTC', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['1970-01-01 00:00:00+00', 0],
    ['1969-12-31 23:59:59.999+00', -1],
    ['2026-11-22 06:27:23.6+00', Date.UTC(2026, 10, 22, 6, 27, 23, 600)],
    ['2026-11-22 06:27:23.000999+00', Date.UTC(2026, 10, 22, 6, 27, 23, 0)],
    ['0044-03-15 12:00:00+00 BC', Date.parse('-000043-03-15T12:00:00Z')],
    ['0099-01-01 00:00:00+00', Date.parse('0099-01-01T00:00:00Z')],
    ['12026-01-01 00:00:00+00', Date.parse('+012026-01-01T00:00:00Z')],
    ['infinity', Infinity],
    ['-infinity', -Infinity],
  ]
  for (const [text, expected] of cases) assert.equal(parseInstant(text), expected, text)
})

test('parseInstant() refuses a session that is not in UTC', () => {
  assert.throws(() => parseInstant('2026-11-22 06:27:23+01'), RangeError)
})

test('formatInstant() writes what the server takes for timestamptz', () => {
  assert.equal(formatInstant(1_795_328_843_001), '2026-11-22T06:27:23.001Z')
  assert.equal(formatInstant(Date.parse('-000043-03-15T12:00:00Z')), '0044-03-15T12:00:00.000Z BC')
  assert.equal(formatInstant(Date.parse('+012026-01-01T00:00:00Z')), '12026-01-01T00:00:00.000Z')
  assert.throws(() => formatInstant(Number.NaN), RangeError)
})
