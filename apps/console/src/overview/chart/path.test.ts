import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bandPath, linePath, stepPath } from './path.ts'

const POINTS = [
  { x: 0, y: 10 },
  { x: 5.25, y: 4 },
  { x: 10, y: 6.00004 },
]

test('linePath() and stepPath() go through every point, in order', () => {
  assert.equal(linePath(POINTS), 'M0,10L5.25,4L10,6')
  assert.equal(stepPath(POINTS), 'M0,10H5.25V4H10V6')
})

test('bandPath() goes there above and comes back below', () => {
  const points = [
    { x: 0, low: 5, high: 5 },
    { x: 10, low: 8, high: 2 },
  ]
  assert.equal(bandPath(points), 'M0,5L10,2L10,8L0,5Z')
})

test('a path of no points is none', () => {
  assert.deepEqual([linePath([]), stepPath([]), bandPath([])], ['', '', ''])
})
