import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { spokenWarning, timeLeft } from './time-left.ts'

test('timeLeft() counts minutes that have begun, and seconds at the end', () => {
  const said = (ms: number): string => timeLeft(ms).text
  assert.deepEqual([3_600_000, 2_520_000, 2_519_999, 300_001, 300_000, 252_000, 60_000, 59_000, 1, 0, -5].map(said), [
    '60 min left',
    '42 min left',
    '42 min left',
    '6 min left',
    '5 min 0 s left',
    '4 min 12 s left',
    '1 min 0 s left',
    '59 s left',
    '1 s left',
    'no time left',
    'no time left',
  ])
})

test('timeLeft() says when it will say something else, and never before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_600_000 }), (ms) => {
      const now = timeLeft(ms)
      assert.ok(now.changesInMs > 0)
      if (now.changesInMs > 1) assert.equal(timeLeft(ms - (now.changesInMs - 1)).text, now.text)
      assert.notEqual(timeLeft(ms - now.changesInMs).text, now.text)
    }),
  )
})

test('spokenWarning() speaks at five minutes and at one, in words that stay the same between', () => {
  assert.equal(spokenWarning(300_001, '14:20 UTC'), '')
  assert.equal(spokenWarning(300_000, '14:20 UTC'), '5 minutes left. Viewing ends at 14:20 UTC.')
  assert.equal(spokenWarning(60_001, '14:20 UTC'), spokenWarning(300_000, '14:20 UTC'))
  assert.equal(spokenWarning(60_000, '14:20 UTC'), '1 minute left. Viewing ends at 14:20 UTC.')
  assert.equal(spokenWarning(0, '14:20 UTC'), '')
})
