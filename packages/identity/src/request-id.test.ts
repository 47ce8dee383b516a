import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isRequestId } from './request-id.ts'

test('isRequestId() takes 1 to 200 characters from 0x21 to 0x7e, and nothing else, whatever the text', () => {
  const oracle = (text: string): boolean => {
    const codes = Array.from(text, (each) => each.codePointAt(0) ?? 0)
    return codes.length >= 1 && codes.length <= 200 && codes.every((code) => code >= 0x21 && code <= 0x7e)
  }
  const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7f }).map((code) => String.fromCodePoint(code)), maxLength: 220 })
  fc.assert(
    fc.property(fc.oneof(printable, fc.string({ unit: 'binary', maxLength: 5 })), (text) => assert.equal(isRequestId(text), oracle(text))),
  )
  for (const [text, valid] of [
    ['', false],
    ['!', true],
    ['~', true],
    ['x'.repeat(200), true],
    ['x'.repeat(201), false],
    ['a\n', false],
    ['a b', false],
    ['\u007f', false],
    ['é', false],
  ] as const)
    assert.equal(isRequestId(text), valid, JSON.stringify(text))
})
