import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatNano, isCurrency, parseNano } from './money.ts'

test('parseNano() is the inverse of formatNano()', () => {
  fc.assert(fc.property(fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }), (amount) => parseNano(formatNano(amount)) === amount))
})

test('formatNano() writes nano-units as a plain decimal', () => {
  const cases: readonly [bigint, string][] = [
    [12_500_000_000n, '12.5'],
    [1n, '0.000000001'],
    [-3_000_000_000n, '-3'],
    [0n, '0'],
  ]
  for (const [amount, text] of cases) assert.equal(formatNano(amount), text)
})

test('parseNano() refuses a tenth place', () => {
  assert.equal(parseNano('0.0000000001'), 'too_precise')
})

test('isCurrency() takes three upper-case letters', () => {
  for (const code of ['USD', 'EUR', 'XTS']) assert.ok(isCurrency(code))
  for (const code of ['', 'usd', 'US', 'USDT', 'US1', 'ÄÖÜ', 'USD\n']) assert.equal(isCurrency(code), false, JSON.stringify(code))
})
