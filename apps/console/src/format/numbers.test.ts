import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatBytes, formatCount, formatCountCompact, formatCountExact } from './quantity.ts'
import { changeOf, formatShare } from './share.ts'

test('formatCount() is full below 100,000, else M or B with one decimal', () => {
  assert.equal(formatCount(99_999n), '99,999')
  assert.equal(formatCount(100_000n), '0.1\u00a0M')
  assert.equal(formatCount(432_600_118n), '432.6\u00a0M')
  assert.equal(formatCount(1_274_200_000n), '1.3\u00a0B')
  assert.equal(formatCount(999_950_000n), '1.0\u00a0B')
  assert.equal(formatCount(0n), '0')
  assert.equal(formatCountExact(432_600_118n), '432,600,118')
  assert.equal(formatCountCompact(432_600_118n), '433\u00a0M')
  assert.equal(formatBytes(1_400_000), '1.4\u00a0MB')
})

test('formatShare() has one decimal, and says what is too small for it', () => {
  assert.equal(formatShare(14n, 19n), '73.7\u00a0%')
  assert.equal(formatShare(5n, 19n), '26.3\u00a0%')
  assert.equal(formatShare(1n, 1_000_000n), '<\u00a00.1\u00a0%')
  assert.equal(formatShare(0n, 0n), '0.0\u00a0%')
  assert.equal(formatShare(999_999n, 1_000_000n), '>\u00a099.9\u00a0%')
  assert.equal(formatShare(7n, 7n), '100.0\u00a0%')
  assert.equal(formatShare(-1n, 4n), '−25.0\u00a0%')
})

test('changeOf() says up, down, new, or that there is no base', () => {
  assert.equal(changeOf(1082n, 1000n).text, '▲\u00a08.2\u00a0%')
  assert.equal(changeOf(0n, 5n).text, '▼\u00a0100.0\u00a0%')
  assert.equal(changeOf(5n, 0n).text, 'new')
  assert.equal(changeOf(0n, 0n).text, '–')
  assert.equal(changeOf(5n, undefined).text, '–')
  assert.equal(changeOf(5n, -5n).text, '–')
  assert.equal(changeOf(5n, 5n).text, '0.0\u00a0%')
  assert.equal(changeOf(10n ** 12n + 1n, 10n ** 12n).text, '▲\u00a0<\u00a00.1\u00a0%')
})

test('formatShare() and changeOf() never say NaN, infinity or minus nothing', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
      for (const text of [formatShare(a, b), changeOf(a, b).text]) {
        assert.doesNotMatch(text, /NaN|Infinity|−0\.0\u00a0%/)
      }
    }),
  )
})
