import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DECIMAL_LENGTH_MAX, formatDecimal, parseDecimal } from './decimal.ts'

test('parseDecimal() is the inverse of formatDecimal()', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.nat(18), (value, places) => {
      assert.equal(parseDecimal(formatDecimal(value, places), places), value)
    }),
  )
})

test('formatDecimal() writes no exponent, no zeros at the end and no negative zero', () => {
  const cases: readonly [bigint, number, string][] = [
    [0n, 9, '0'],
    [1n, 9, '0.000000001'],
    [12_500_000_000n, 9, '12.5'],
    [-3_000_000_000n, 9, '-3'],
    [-1n, 9, '-0.000000001'],
    [100n, 0, '100'],
    [10n ** 30n, 18, '1000000000000'],
  ]
  for (const [value, places, expected] of cases) assert.equal(formatDecimal(value, places), expected)
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), (value) =>
      /^(?:0|-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?)$/.test(formatDecimal(value, 18)),
    ),
  )
})

test('parseDecimal() takes a sign, digits and a fraction, and names what is wrong with anything else', () => {
  assert.equal(parseDecimal('+1.50', 2), 150n)
  assert.equal(parseDecimal('-0', 2), 0n)
  assert.equal(parseDecimal('007', 0), 7n)
  for (const text of [
    '',
    ' 1',
    '1 ',
    '1\n',
    '1.',
    '.5',
    '1e-6',
    '1E6',
    '0x1',
    '1_000',
    '1,5',
    '--1',
    '+-1',
    '3/2',
    'NaN',
    'Infinity',
    '١',
  ]) {
    assert.equal(parseDecimal(text, 18), 'malformed', JSON.stringify(text))
  }
})

test('parseDecimal() refuses a place too many instead of rounding, but zeros at the end are no places', () => {
  assert.equal(parseDecimal('0.123', 2), 'too_precise')
  assert.equal(parseDecimal('0.1', 0), 'too_precise')
  assert.equal(parseDecimal('0.1200000000', 2), 12n)
  assert.equal(parseDecimal('5.000', 0), 5n)
})

test('parseDecimal() refuses a text over its bound before looking at it', () => {
  assert.equal(parseDecimal('9'.repeat(DECIMAL_LENGTH_MAX), 0), BigInt('9'.repeat(DECIMAL_LENGTH_MAX)))
  assert.equal(parseDecimal('9'.repeat(DECIMAL_LENGTH_MAX + 1), 0), 'too_large')
})
