import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { csvLine } from './csv.ts'
import { parseCsv } from './parse-csv.test-support.ts'

test('csvLine() writes what RFC 4180 says', () => {
  assert.equal(csvLine(['a', null, 'b"c', 'd,e', 'f\ng', { number: '-1.5' }, ' h']), 'a,,"b""c","d,e","f\ng",-1.5," h"\r\n')
})

test('csvLine() lets no text be a formula, and leaves numbers alone', () => {
  for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '=HYPERLINK("http://x","y")'])
    assert.deepEqual(parseCsv(csvLine([text, 'x'])), [[`'${text}`, 'x']])
  assert.equal(csvLine([{ number: '-1' }, 'a=b']), '-1,a=b\r\n')
  assert.equal(csvLine(['=1'], { rawText: true }), '=1\r\n')
})

test('csvLine() is read back as it was by a reader that shares no code with it', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'ä', '=', "'") })
  fc.assert(
    fc.property(fc.array(fc.array(text, { minLength: 2, maxLength: 5 }), { maxLength: 5 }), (rows) => {
      const written = rows.map((row) => csvLine(row, { rawText: true })).join('')
      assert.deepEqual(parseCsv(written), rows)
    }),
  )
})
