import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { beside, clamp } from './place.ts'

const WINDOW = { start: 0, end: 375 }

test('beside() puts words where there is more room, next to the column', () => {
  assert.equal(beside({ start: 20, end: 40 }, 100, WINDOW), 48)
  assert.equal(beside({ start: 320, end: 340 }, 100, WINDOW), 212)
})

test('beside() never leaves the window with what fits into it, wherever the column is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -500, max: 900 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 359 }),
      (at, width, size) => {
        const start = beside({ start: at, end: at + width }, size, WINDOW)
        assert.ok(start >= 8 && start + size <= 367, `${start}`)
      },
    ),
  )
})

test('clamp() begins at the edge with what is larger than the window', () => {
  assert.equal(clamp(100, 500, WINDOW), 8)
  assert.equal(clamp(100, 50, WINDOW), 100)
})
