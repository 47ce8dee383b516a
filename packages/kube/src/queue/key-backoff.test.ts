import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyBackoff } from './key-backoff.ts'

test('next() doubles from 5 ms to 1000 s for each key, and forget() begins anew', () => {
  const backoff = createKeyBackoff(() => 0)
  const waits = Array.from({ length: 20 }, () => backoff.next('a'))
  assert.deepEqual(waits.slice(0, 4), [5, 10, 20, 40])
  assert.deepEqual(waits.slice(-2), [1_000_000, 1_000_000])
  assert.equal(backoff.next('b'), 5)
  backoff.forget('a')
  assert.equal(backoff.next('a'), 5)
})

test('next() spreads by a tenth at most, and stays finite after any number of failures', () => {
  const backoff = createKeyBackoff(() => 0.999)
  for (let index = 0; index < 2000; index += 1) assert.ok(backoff.next('a') <= 1_100_000)
  assert.ok(backoff.next('b') <= 5.5)
})
