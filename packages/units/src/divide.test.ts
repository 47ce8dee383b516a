import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { divideExact, divideHalfAwayFromZero } from './divide.ts'

const anyNumerator = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n })
const anyDenominator = fc.bigInt({ min: 1n, max: 10n ** 20n })

test('divideHalfAwayFromZero() rounds ties away from zero, not to even and not towards zero', () => {
  const cases: readonly [bigint, bigint, bigint][] = [
    [5n, 2n, 3n],
    [3n, 2n, 2n],
    [1n, 2n, 1n],
    [-1n, 2n, -1n],
    [-5n, 2n, -3n],
    [4n, 3n, 1n],
    [5n, 3n, 2n],
    [-4n, 3n, -1n],
    [-5n, 3n, -2n],
    [0n, 7n, 0n],
    [499_999_999n, 1_000_000_000n, 0n],
    [500_000_000n, 1_000_000_000n, 1n],
  ]
  for (const [numerator, denominator, expected] of cases) {
    assert.equal(divideHalfAwayFromZero(numerator, denominator), expected, `${numerator}/${denominator}`)
  }
})

test('divideHalfAwayFromZero() is nearest, and symmetric about zero', () => {
  fc.assert(
    fc.property(anyNumerator, anyDenominator, (numerator, denominator) => {
      const rounded = divideHalfAwayFromZero(numerator, denominator)
      const distance = numerator - rounded * denominator
      assert.ok((distance < 0n ? -distance : distance) * 2n <= denominator)
      assert.equal(divideHalfAwayFromZero(-numerator, denominator), -rounded)
    }),
  )
})

test('divideExact() gives the quotient only when nothing is left over', () => {
  fc.assert(
    fc.property(anyNumerator, anyDenominator, (quotient, denominator) => {
      assert.equal(divideExact(quotient * denominator, denominator), quotient)
      if (denominator > 1n) assert.equal(divideExact(quotient * denominator + 1n, denominator), undefined)
    }),
  )
})

test('divideHalfAwayFromZero() and divideExact() refuse a denominator that is not positive', () => {
  for (const denominator of [0n, -1n]) {
    assert.throws(() => divideHalfAwayFromZero(1n, denominator), RangeError)
    assert.throws(() => divideExact(1n, denominator), RangeError)
  }
})
