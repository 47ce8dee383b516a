import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createIdSource, instantOfId, isUuid } from './id.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('createIdSource() makes version 7 UUIDs of the RFC 9562 variant that hold the time', () => {
  const next = createIdSource(() => 0x0199_1234_5678)
  const id = next()
  assert.match(id, UUID_V7)
  assert.equal(id.slice(0, 13), '01991234-5678')
})

test('createIdSource() strictly increases while the clock steps back by ten minutes at most', () => {
  const anyClock = fc
    .tuple(
      fc.integer({ min: 0, max: 2 ** 48 - 1_000_000 }),
      fc.array(fc.integer({ min: 0, max: 590_000 }), { minLength: 1, maxLength: 300 }),
    )
    .map(([start, steps]) => steps.map((step) => start + step))
  fc.assert(
    fc.property(anyClock, (times) => {
      let at = 0
      const next = createIdSource(() => times[at++ % times.length] ?? 0)
      const ids = times.map(() => next())
      for (const [index, id] of ids.entries()) {
        assert.match(id, UUID_V7)
        if (index > 0) assert.ok((ids[index - 1] ?? '') < id, `${ids[index - 1]} < ${id}`)
      }
    }),
  )
})

test('createIdSource() follows a clock that was far ahead and is set right, and never repeats an id', () => {
  let now = Date.UTC(2031, 0)
  const next = createIdSource(() => now)
  const before = next()
  now = Date.UTC(2026, 10)
  const ids = Array.from({ length: 100 }, () => next())
  assert.ok(ids.every((id) => instantOfId(id) === now))
  assert.deepEqual(ids, ids.toSorted())
  assert.equal(new Set([before, ...ids]).size, 101)
})

test('createIdSource() runs ahead of a clock that stands still when 4096 ids are used up', () => {
  const next = createIdSource(() => 1000)
  const ids = Array.from({ length: 10_000 }, () => next())
  assert.deepEqual(ids, ids.toSorted())
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(ids[4095]?.slice(0, 18), '00000000-03e8-7fff')
  assert.equal(ids[4096]?.slice(0, 18), '00000000-03e9-7000')
})

test('createIdSource() draws its last 62 bits at random', () => {
  const tailsOf = (): string[] => {
    const next = createIdSource(() => 1)
    return Array.from({ length: 2000 }, () => next().slice(19))
  }
  assert.equal(new Set([...tailsOf(), ...tailsOf()]).size, 4000)
})

test('isUuid() takes only the canonical lower-case form', () => {
  assert.ok(isUuid('01991234-5678-7000-8000-000000000000'))
  assert.ok(isUuid('00000000-0000-0000-0000-000000000000'))
  for (const text of [
    '',
    '01991234-5678-7000-8000-00000000000',
    '01991234-5678-7000-8000-00000000000G',
    ' 01991234-5678-7000-8000-000000000000',
  ]) {
    assert.equal(isUuid(text), false, text)
  }
  assert.equal(isUuid('01991234-5678-7000-8000-00000000000A'), false)
  assert.equal(isUuid('01991234567870008000000000000000'), false)
})
