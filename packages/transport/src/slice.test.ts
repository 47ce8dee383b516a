import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TransportMessageError } from './errors.ts'
import { decodeSlice, encodeSlice } from './slice.ts'
import type { JournalSlice } from './slice.ts'

const plain = { noNullPrototype: true }
const anyPosition = fc.record({ segment: fc.nat(), offset: fc.nat() }, plain)
const anyEntry = fc.record({ eventId: fc.uuid(), payload: fc.string({ unit: 'grapheme', maxLength: 200 }) }, plain)
const anyWriter = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
const anySlice: fc.Arbitrary<JournalSlice> = fc.record(
  { writer: anyWriter, from: anyPosition, to: anyPosition, entries: fc.array(anyEntry, { maxLength: 20 }) },
  plain,
)

test('decodeSlice() gives what encodeSlice() was given, byte for byte', () => {
  fc.assert(
    fc.property(anySlice, (slice) => {
      assert.deepEqual(decodeSlice(encodeSlice(slice)), slice)
    }),
  )
})

test('decodeSlice() keeps line feeds and spaces of payloads', () => {
  const payload = '{\n "a": "b c\\n" }\n\n'
  const slice = { writer: 'w', from: { segment: 1, offset: 0 }, to: { segment: 2, offset: 0 }, entries: [{ eventId: 'e', payload }] }
  assert.equal(decodeSlice(encodeSlice(slice)).entries[0]?.payload, payload)
})

test('decodeSlice() refuses a message that is cut off anywhere', () => {
  const entries = [
    { eventId: '0199-a', payload: '{"a":1}' },
    { eventId: '0199-b', payload: '{"b":2}' },
  ]
  const whole = encodeSlice({ writer: 'w', from: { segment: 1, offset: 0 }, to: { segment: 1, offset: 900 }, entries })
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeSlice(whole.subarray(0, length)), TransportMessageError, `${length} of ${whole.length} bytes`)
  }
  assert.throws(() => decodeSlice(Buffer.concat([whole, Buffer.from('x')])), TransportMessageError)
})

test('decodeSlice() refuses what is no slice, and one of a newer version, by its number', () => {
  for (const text of ['', 'garbage', '{}\n', 'null\n', '{"version":1,"writer":"w","from":[1,0],"to":[1],"entries":0}\n']) {
    assert.throws(() => decodeSlice(Buffer.from(text)), TransportMessageError, text)
  }
  const newer = '{"version":2,"writer":"w","from":[1,0],"to":[1,9],"entries":0}\n'
  assert.throws(() => decodeSlice(Buffer.from(newer)), /version 2: this program knows version 1/)
})
