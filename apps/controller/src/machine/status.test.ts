import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeConditions } from './status.ts'

const AT = { now: Date.UTC(2026, 10, 22), generation: 2 }

test('mergeConditions() changes the time of a transition with the status and only then (C-6)', () => {
  const before = [
    {
      type: 'Ready',
      status: 'False' as const,
      reason: 'A',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
      observedGeneration: 1,
    },
  ]
  const [same] = mergeConditions(before, [{ type: 'Ready', status: 'False', reason: 'B' }], AT)
  assert.deepEqual([same?.reason, same?.lastTransitionTime, same?.observedGeneration], ['B', '2026-01-01T00:00:00Z', 2])
  const [other] = mergeConditions(before, [{ type: 'Ready', status: 'True', reason: 'B' }], AT)
  assert.equal(other?.lastTransitionTime, '2026-11-22T00:00:00Z')
})

test('mergeConditions() keeps conditions of others, and drops UsingPlatformAccount when it is not said', () => {
  const old = { status: 'True' as const, reason: 'R', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }
  const merged = mergeConditions(
    [
      { type: 'Theirs', ...old },
      { type: 'UsingPlatformAccount', ...old },
    ],
    [{ type: 'Ready', status: 'True', reason: 'R' }],
    AT,
  )
  assert.deepEqual(merged.map(({ type }) => type).toSorted(), ['Ready', 'Theirs'])
})

test('mergeConditions() takes messages as data (R-18, H-27)', () => {
  const [said] = mergeConditions([], [{ type: 'Ready', status: 'False', reason: 'R', message: `%s%d\n${'x'.repeat(2_000)}` }], AT)
  assert.ok(said?.message?.startsWith('%s%d x') === true && said.message.length <= 1_024)
})
