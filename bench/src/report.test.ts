import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMet, number, tableLines, targetText } from './report.ts'
import type { Target } from './report.ts'

const most: Target = { what: 'a', value: 2, limit: 2, kind: 'most', unit: ' x' }

test('isMet() takes the limit itself, and no value that is no number', () => {
  assert.equal(isMet(most), true)
  assert.equal(isMet({ ...most, value: 2.01 }), false)
  assert.equal(isMet({ ...most, kind: 'least', value: 1.99 }), false)
  assert.equal(isMet({ ...most, value: Number.NaN }), false)
  assert.equal(isMet({ ...most, kind: 'least', value: Number.NaN }), false)
})

test('targetText() says first whether it is met', () => {
  assert.equal(targetText(most), 'met    a: 2 x (≤ 2 x)')
  assert.equal(targetText({ ...most, kind: 'least', limit: 200_000, unit: '/s' }), 'MISSED a: 2/s (≥ 200,000/s)')
})

test('tableLines() aligns the first column to the left and the others to the right', () => {
  assert.deepEqual(
    tableLines([
      ['', 'long head'],
      ['name', '1'],
    ]),
    ['        long head', '  name          1'],
  )
})

test('number() shows three digits of small values and thousands of large ones', () => {
  assert.deepEqual([0.12345, 9.994, 99.96, 12_345.6, Number.NaN].map(number), ['0.123', '9.99', '100', '12,346', '-'])
})
