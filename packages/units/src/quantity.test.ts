import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatQuantity, parseQuantity } from './quantity.ts'

test('parseQuantity() is the inverse of formatQuantity()', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 38n - 1n }), (quantity) => parseQuantity(formatQuantity(quantity)) === quantity))
})

test('parseQuantity() refuses a sign, a fraction, an exponent, blanks and more than 38 digits', () => {
  for (const text of ['', '-1', '+1', '1.0', '1e3', ' 1', '1\n', '1'.repeat(39)]) {
    assert.equal(parseQuantity(text), undefined, JSON.stringify(text))
  }
})
