import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RATE_LIMIT, formatRate, parseRate } from './rate.ts'

test('parseRate() is the inverse of formatRate()', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: RATE_LIMIT - 1n }), (rate) => parseRate(formatRate(rate), 1) === rate))
})

test('parseRate() divides the price of many units into the rate of one', () => {
  assert.equal(parseRate('0.0000002', 1), 200_000_000_000n)
  assert.equal(parseRate('0.0002', 1000), 200_000_000_000n)
  assert.equal(parseRate('0.20', 1_000_000), 200_000_000_000n)
})

test('parseRate() refuses more than 18 places a unit, whatever the price is quoted for', () => {
  assert.equal(parseRate('0.000000000000000001', 1), 1n)
  assert.equal(parseRate('0.0000000000000000001', 1), 'too_precise')
  assert.equal(parseRate('0.000000000000001', 1000), 1n)
  assert.equal(parseRate('0.0000000000000001', 1000), 'too_precise')
  assert.equal(parseRate('0.000000000001', 1_000_000), 1n)
  assert.equal(parseRate('0.0000000000011', 1_000_000), 'too_precise')
})

test('parseRate() refuses a rate that would overflow an amount', () => {
  assert.equal(parseRate('999999999999.999999999999999999', 1), RATE_LIMIT - 1n)
  assert.equal(parseRate('1000000000000', 1), 'too_large')
  assert.equal(parseRate('1000000000000', 1000), 10n ** 27n)
})

test('parseRate() passes on what is wrong with the decimal', () => {
  assert.equal(parseRate('1.5e-7', 1), 'malformed')
  assert.equal(parseRate('1'.repeat(100), 1), 'too_large')
})
