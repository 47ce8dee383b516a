import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLineSplitter } from './lines.ts'

test('createLineSplitter() gives the same lines however the bytes are cut, and drops what has no end', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.string({ unit: 'binary' }), fc.array(fc.nat(20)), (lines, rest, cuts) => {
      const clean = lines.map((line) => line.replaceAll('\n', '')).filter((line) => line !== '')
      const bytes = Buffer.from([...clean.map((line) => `${line}\n`), rest.replaceAll('\n', '')].join(''))
      const split = createLineSplitter('watch')
      const found: string[] = []
      let start = 0
      for (const cut of [...cuts, bytes.length]) {
        found.push(...split(bytes.subarray(start, start + cut)))
        start += cut
      }
      // Lone surrogates become U+FFFD on their way through UTF-8.
      assert.deepEqual(
        found,
        clean.map((line) => Buffer.from(line).toString()),
      )
    }),
  )
})

test('createLineSplitter() refuses a line that is too long, in one piece or in many', () => {
  assert.throws(() => createLineSplitter('watch', 8)(Buffer.from('123456789\n')), /more than 8 bytes/)
  const split = createLineSplitter('watch', 8)
  split(Buffer.from('12345678'))
  assert.throws(() => split(Buffer.from('9')), /more than 8 bytes/)
})
