import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ENDS_ESCAPED, NativeSearch, unescapedQuote } from './json-search.ts'

/** The same, one byte after the other. */
function quoteByStepping(text: string): number {
  let isEscaped = false
  for (const [index, character] of text.split('').entries()) {
    if (isEscaped) isEscaped = false
    else if (character === '"') return index
    else isEscaped = character === '\\'
  }
  return isEscaped ? ENDS_ESCAPED : -1
}

test('unescapedQuote() finds the end of a string however far away, past escaped quotes and pairs of backslashes (property)', () => {
  const parts = fc.array(fc.constantFrom('x'.repeat(63), 'x'.repeat(200), '\\"', '\\\\', '\\', 'y', '\\u0022'), { maxLength: 8 })
  fc.assert(
    fc.property(parts, fc.constantFrom('', '"', '" "'), (start, end) => {
      const text = start.join('') + end
      assert.equal(unescapedQuote(Buffer.from(text), 0), quoteByStepping(text))
    }),
    { numRuns: 1000 },
  )
})

test('structural() gives the next byte of structure from any offset on, or the length', () => {
  const text = `${'1,'.repeat(50)}[2]${' '.repeat(40)}{"a`
  const search = new NativeSearch(Buffer.from(text))
  for (let from = 0; from <= text.length; from += 1) {
    const found = text.slice(from).search(/["[\]{}]/)
    assert.equal(search.structural(from), found < 0 ? text.length : from + found)
  }
})
