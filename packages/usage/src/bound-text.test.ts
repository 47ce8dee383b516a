import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { boundText } from './bound-text.ts'

test('boundText() leaves a name alone that any database takes', () => {
  assert.equal(boundText('meta-llama/Llama-3.1-8B é 模型 🦙', 512), 'meta-llama/Llama-3.1-8B é 模型 🦙')
})

test('boundText() replaces NUL, control characters and lone surrogates', () => {
  assert.equal(boundText('a\u0000b\u001Fc\uD800d\uDC00', 512), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFD')
})

test('boundText() keeps two long names apart', () => {
  const long = 'm'.repeat(600)
  const cut = boundText(long, 512)
  assert.equal(cut.length, 512)
  assert.match(cut, /^m{495}~[0-9a-f]{16}$/)
  assert.notEqual(cut, boundText(`${long}2`, 512))
  assert.equal(cut, boundText(long, 512))
})

/** Any UTF-16 code unit, halves of pairs included. */
const CODE_UNIT = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))

test('boundText() gives well-formed text within its bounds for any text (property)', () => {
  fc.assert(
    fc.property(fc.string({ unit: CODE_UNIT, maxLength: 200 }), fc.integer({ min: 18, max: 64 }), (text, lengthMax) => {
      const bounded = boundText(text, lengthMax)
      assert.ok(bounded.length <= lengthMax && bounded.isWellFormed())
      assert.ok(Buffer.byteLength(JSON.stringify(bounded)) <= 3 * lengthMax + 2)
    }),
  )
})
