import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createIdSource, isUuid } from '@ascribe/units'
import fc from 'fast-check'
import { GENERATION, RecentIds } from './recent-ids.ts'

const none = (): string[] => []
const idOf = (index: number): string => `00000000-0000-0000-0000-${index.toString(16).padStart(12, '0')}`

test('RecentIds knows at least the last 32,768 ids, and nothing that was never added', () => {
  const recent = new RecentIds(none)
  const next = createIdSource(() => 1)
  const ids = Array.from({ length: 3 * GENERATION }, next)
  for (const id of ids) {
    assert.equal(recent.look(id), 'new')
    recent.add(id)
    assert.equal(recent.look(id), 'known')
  }
  for (const id of ids.slice(-GENERATION)) assert.equal(recent.look(id), 'known')
  assert.equal(recent.look(ids[0] ?? ''), 'new', 'it is bounded')
})

test('RecentIds keeps what lasts over any number of generations', () => {
  const open = [idOf(1), idOf(2)]
  const recent = new RecentIds(() => open)
  for (let index = 1; index < 4 * GENERATION; index += 1) recent.add(idOf(index))
  assert.deepEqual(
    [1, 2, 3].map((index) => recent.look(idOf(index))),
    ['known', 'known', 'new'],
  )
})

test('RecentIds tells ids apart by every digit', () => {
  const digit = fc.constantFrom(...Array.from('0123456789abcdef'))
  const place = fc.integer({ min: 0, max: 35 }).filter((at) => idOf(0)[at] !== '-')
  fc.assert(
    fc.property(fc.uuid(), place, digit, (id, at, other) => {
      const recent = new RecentIds(none)
      recent.add(id)
      const changed = id.slice(0, at) + other + id.slice(at + 1)
      assert.equal(recent.look(changed), changed === id ? 'known' : 'new')
    }),
    { numRuns: 50 },
  )
})

test('RecentIds.look() takes for well-formed what isUuid() does', () => {
  const recent = new RecentIds(none)
  const text = fc.oneof(
    fc.uuid(),
    fc.string({ unit: 'binary', minLength: 36, maxLength: 36 }),
    fc
      .tuple(fc.uuid(), fc.nat(35), fc.string({ unit: 'binary', maxLength: 2 }))
      .map(([id, at, other]) => id.slice(0, at) + other + id.slice(at + 1)),
  )
  fc.assert(fc.property(text, (id) => assert.equal(recent.look(id) !== 'malformed', isUuid(id))))
})
