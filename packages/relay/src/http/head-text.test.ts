import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { areFieldsClean, joined } from './head-text.ts'

const good = fc.tuple(fc.constantFrom('a', 'B', 'x-c'), fc.constantFrom('', '1', 'two words', '\u00e9', 'tab\t'))
const bad = fc.constantFrom(['a', '1\r\nx: 2'], ['a', '\n'], ['a', '\r'], ['a', '\0'], ['a', '\u010a'], ['a\r\nb', '1'], ['a', '\x7f'])
const bads = new Set(['1\r\nx: 2', '\n', '\r', '\0', '\u010a', 'a\r\nb', '\x7f'])

test('areFieldsClean() finds every bad field, whatever is known, in any order and number', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(good, good, bad), { maxLength: 60 }), fc.array(good, { maxLength: 60 }), (fields, known) => {
      assert.equal(areFieldsClean(fields.flat(), known.flat()), !fields.flat().some((text) => bads.has(text)))
    }),
  )
})

test('joined() puts text, bytes and text side by side', () => {
  assert.deepEqual(joined({ before: '\u00e9', chunk: Buffer.from([1, 2]), after: 'z' }), Buffer.from([0xe9, 1, 2, 0x7a]))
  assert.deepEqual(joined({ before: '', chunk: Buffer.alloc(0), after: '' }), Buffer.alloc(0))
})
