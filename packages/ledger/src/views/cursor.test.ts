import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cursorOf, placeOfCursor } from './cursor.ts'

const text = fc.string({ unit: 'binary' }).filter((each) => !each.includes('\0'))

test('placeOfCursor() after cursorOf() is identity, and of any other question nothing', () => {
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 4 }),
      fc.array(text, { maxLength: 4 }),
      fc.array(text, { maxLength: 4 }),
      (scope, other, place) => {
        const cursor = cursorOf(scope, place)
        assert.match(cursor, /^[\w-]+$/)
        const well = place.every((each) => each.isWellFormed())
        if (well) assert.deepEqual(placeOfCursor(scope, cursor), place)
        if (JSON.stringify(scope) !== JSON.stringify(other)) assert.equal(placeOfCursor(other, cursor), undefined)
      },
    ),
  )
})

test('placeOfCursor() takes no text that is no cursor, however it is made', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (junk) => placeOfCursor(['x'], junk) === undefined))
  const made = (content: string): string => Buffer.from(content).toString('base64url')
  for (const content of ['', '{}', '[]', '[1]', 'null', '[["x"]]', '["x"'])
    assert.equal(placeOfCursor(['x'], made(content)), undefined, content)
  assert.equal(placeOfCursor(['x'], 'a'.repeat(9000)), undefined)
  const [digest] = JSON.parse(Buffer.from(cursorOf(['x'], []), 'base64url').toString()) as string[]
  assert.equal(placeOfCursor(['x'], made(JSON.stringify([digest, '\0']))), undefined)
})
