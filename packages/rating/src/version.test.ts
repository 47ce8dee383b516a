import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { versionAt } from './version.ts'

const VERSIONS = [
  { effectiveFrom: 100, sequence: 1 },
  { effectiveFrom: 200, sequence: 2 },
  { effectiveFrom: 200, sequence: 3 },
  { effectiveFrom: 150, sequence: 4 },
]

test('versionAt() is the latest that has begun, its start included; of two that begin together, the later applied', () => {
  const inForce = (at: number): number | undefined => versionAt(VERSIONS, at)?.sequence
  assert.deepEqual([-1, 99, 100, 149, 150, 199, 200, 10 ** 15].map(inForce), [undefined, undefined, 1, 1, 4, 4, 3, 3])
  assert.equal(versionAt([], 0), undefined)
})

test('versionAt() gives the same whatever order the versions come in', () => {
  const anyVersions = fc
    .array(fc.integer({ min: -50, max: 50 }), { maxLength: 12 })
    .map((starts) => starts.map((effectiveFrom, index) => ({ effectiveFrom, sequence: index + 1 })))
  const anyOrder = anyVersions.chain((versions) =>
    fc.tuple(fc.constant(versions), fc.shuffledSubarray(versions, { minLength: versions.length })),
  )
  fc.assert(
    fc.property(anyOrder, fc.integer({ min: -60, max: 60 }), ([versions, shuffled], at) => {
      const begun = versions.filter(({ effectiveFrom }) => effectiveFrom <= at)
      const expected = begun.toSorted((a, b) => a.effectiveFrom - b.effectiveFrom || a.sequence - b.sequence).at(-1)
      assert.equal(versionAt(shuffled, at), expected)
    }),
  )
})
