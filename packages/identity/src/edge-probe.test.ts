import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createEdgeProbe, createEdgeProbeTaker, isEdgeProbe } from './edge-probe.ts'

const [OLD, NEW, OTHER] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)]
const NOW = Date.parse('2026-11-22T12:00:00Z')

test('createEdgeProbeTaker() takes a probe of any listed secret once, and none of another', () => {
  const take = createEdgeProbeTaker([NEW, OLD], () => NOW)
  const probe = createEdgeProbe(NEW, NOW)
  assert.ok(isEdgeProbe(probe))
  assert.deepEqual([take(probe), take(probe)], [true, false])
  assert.ok(take(createEdgeProbe(OLD, NOW)))
  assert.equal(take(createEdgeProbe(OTHER, NOW)), false)
})

test('createEdgeProbeTaker() takes a probe for a minute, and none of a far future', () => {
  let now = NOW
  const take = createEdgeProbeTaker(NEW, () => now)
  const probe = createEdgeProbe(NEW, NOW)
  const later = createEdgeProbe(NEW, NOW + 10 * 60_000)
  assert.equal(take(later), false)
  now = NOW + 90_000
  assert.equal(take(probe), false)
  assert.equal(take(createEdgeProbe(NEW, now)), true)
})

test('createEdgeProbeTaker() takes nothing that was changed, and throws at nothing', () => {
  const take = createEdgeProbeTaker(NEW, () => NOW)
  const probe = createEdgeProbe(NEW, NOW)
  fc.assert(
    fc.property(fc.nat(probe.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, letter) => {
      const changed = probe.slice(0, at) + letter + probe.slice(at + 1)
      return changed === probe || !take(changed)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => !take(text) && !take(`ascribe-edge-probe:${text}`)))
  assert.ok(take(probe))
})

test('createEdgeProbeTaker() remembers a bounded number of probes, and takes none it could not remember', () => {
  let now = NOW
  const take = createEdgeProbeTaker(NEW, () => now)
  for (let count = 0; count < 4096; count += 1) assert.ok(take(createEdgeProbe(NEW, now)))
  assert.equal(take(createEdgeProbe(NEW, now)), false)
  now += 120_000
  assert.ok(take(createEdgeProbe(NEW, now)))
})
