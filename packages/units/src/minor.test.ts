import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseNano } from './money.ts'
import { formatMoney, minorPlaces, roundToMinor } from './minor.ts'

const nano = (text: string): bigint => {
  const parsed = parseNano(text)
  assert.ok(typeof parsed === 'bigint', text)
  return parsed
}
/** Currencies of every exponent that ISO 4217 has. */
const CURRENCIES = ['JPY', 'EUR', 'KWD', 'CLF'] as const
const currency = fc.constantFrom(...CURRENCIES)
const amount = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
const size = (value: bigint): bigint => (value < 0n ? -value : value)

test('roundToMinor() rounds half away from zero to the minor unit of each currency', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['0.005', 'USD', '0.01'],
    ['0.004999999', 'USD', '0'],
    ['-0.005', 'USD', '-0.01'],
    ['-0.004999999', 'USD', '0'],
    ['2.675', 'EUR', '2.68'],
    ['0.5', 'JPY', '1'],
    ['-0.5', 'JPY', '-1'],
    ['0.499999999', 'KRW', '0'],
    ['0.0005', 'KWD', '0.001'],
    ['1.23449', 'BHD', '1.234'],
    ['0.00005', 'CLF', '0.0001'],
    ['123456789012345678901234567890.125', 'USD', '123456789012345678901234567890.13'],
  ]
  for (const [given, code, rounded] of cases) assert.equal(roundToMinor(nano(given), code), nano(rounded), `${given} ${code}`)
})

test('minorPlaces() knows the currencies that have no hundredths, and takes 2 for all others', () => {
  assert.deepEqual(['JPY', 'ISK', 'EUR', 'USD', 'KWD', 'IQD', 'CLF', 'UYW', 'ZZZ'].map(minorPlaces), [0, 0, 2, 2, 3, 3, 4, 4, 2])
})

test('roundToMinor() gives the nearest multiple of the minor unit, and of two equally near the one farther from zero', () => {
  fc.assert(
    fc.property(amount, currency, (value, code) => {
      const unit = 10n ** BigInt(9 - minorPlaces(code))
      const rounded = roundToMinor(value, code)
      assert.equal(rounded % unit, 0n)
      assert.ok(2n * size(rounded - value) <= unit)
      if (2n * size(rounded - value) === unit) assert.ok(size(rounded) > size(value))
    }),
  )
})

test('roundToMinor() is odd, monotone, and changes nothing the second time', () => {
  fc.assert(
    fc.property(amount, amount, currency, (a, b, code) => {
      const rounded = roundToMinor(a, code)
      assert.equal(roundToMinor(-a, code), 0n - rounded)
      assert.equal(roundToMinor(rounded, code), rounded)
      if (a <= b) assert.ok(rounded <= roundToMinor(b, code))
    }),
  )
})

test('roundToMinor() with a divisor rounds once: no half is made by rounding before', () => {
  // 0.0049999999996 is below the half; rounded to nano-units first it would be 0.005, and then 0.01.
  assert.equal(roundToMinor(49_999_999_996n, 'USD', { divisor: 10_000n }), 0n)
  fc.assert(
    fc.property(amount, currency, fc.bigInt({ min: 1n, max: 10n ** 12n }), (value, code, divisor) => {
      const unit = 10n ** BigInt(9 - minorPlaces(code))
      const rounded = roundToMinor(value, code, { divisor })
      assert.equal(rounded % unit, 0n)
      assert.ok(2n * size(rounded * divisor - value) <= unit * divisor)
    }),
  )
})

test('formatMoney() shows all places of the minor unit, more where there are more, and rounds nothing', () => {
  assert.equal(formatMoney(nano('12.5'), 'USD'), '12.50')
  assert.equal(formatMoney(nano('12'), 'JPY'), '12')
  assert.equal(formatMoney(nano('12.5'), 'JPY'), '12.5')
  assert.equal(formatMoney(nano('-0.000123'), 'EUR'), '-0.000123')
  assert.equal(formatMoney(nano('1'), 'KWD'), '1.000')
  fc.assert(fc.property(amount, currency, (value, code) => parseNano(formatMoney(value, code)) === value))
})
