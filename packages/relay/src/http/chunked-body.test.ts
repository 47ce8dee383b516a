import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChunkedBody, joinSpans } from './chunked-body.ts'

/** What comes out of `bytes` when they come in pieces that end at `cuts`. */
function read(
  bytes: Buffer,
  cuts: readonly number[],
): { readonly content: string; readonly rest: number; readonly done: boolean; readonly bad: boolean } {
  const body = new ChunkedBody()
  const content: Buffer[] = []
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  let from = 0
  for (const end of [...ends, bytes.length]) {
    const spans: number[] = []
    const stopped = body.read(bytes, { at: from, end }, spans)
    content.push(joinSpans(bytes, spans) ?? Buffer.alloc(0))
    from = stopped
    if (body.done || body.bad) break
  }
  return { content: Buffer.concat(content).toString('latin1'), rest: bytes.length - from, done: body.done, bad: body.bad }
}

const sizeText = fc.constantFrom(
  (size: number) => size.toString(16),
  (size: number) => size.toString(16).toUpperCase(),
  (size: number) => `00${size.toString(16)}`,
)
const extension = fc.constantFrom('', ';a', ';a=b', ';a="b\\"\r"'.replace('\r', ' '), ';a=b;c="d"')
const chunk = fc.record({ content: fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), sizeText, extension })
const trailers = fc.constantFrom('', 'X-A: b\r\n', 'X-A:\r\nX-B: c d\r\n')

test('ChunkedBody gives the content of its chunks, however they are cut, and stops behind the last', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 8 }),
      trailers,
      fc.array(fc.nat(400)),
      fc.string({ maxLength: 5 }),
      (chunks, tail, cuts, after) => {
        const text = chunks
          .map(({ content, sizeText: textOf, extension: more }) => `${textOf(content.length)}${more}\r\n${content}\r\n`)
          .join('')
        const end = Buffer.from(`${text}0\r\n${tail}\r\n`, 'latin1')
        const found = read(Buffer.concat([end, Buffer.from(after, 'latin1')]), cuts)
        assert.deepEqual(found, {
          content: chunks.map(({ content }) => content).join(''),
          rest: Buffer.from(after, 'latin1').length,
          done: true,
          bad: false,
        })
      },
    ),
  )
})

test('ChunkedBody refuses what two readers could read differently', () => {
  const bad = [
    'g\r\n',
    '\r\n',
    '-1\r\n',
    '+1\r\na\r\n',
    '0x1\r\na\r\n',
    ' 1\r\na\r\n',
    '1 \r\na\r\n',
    '1\na\r\n',
    '1\r\nab\r\n',
    '1\r\na\n',
    '1\r\na\r\r',
    '10000000000000\r\n',
    '1;\r\na\r\n',
    '1;a b\r\na\r\n',
    '1;a="b\r\n',
    '1;a="b"c\r\n',
    '1;a\nb\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\nTRANSFER-ENCODING: chunked\r\n\r\n',
    '0\r\nX A: b\r\n\r\n',
    '0\r\n X-A: b\r\n\r\n',
    '0\r\nX-A: b\n\r\n',
    '0\r\nX-A: b\r\n\n',
    `1;${'a'.repeat(20_000)}\r\n`,
    `0\r\n${'X-A: b\r\n'.repeat(3_000)}\r\n`,
  ]
  for (const text of bad) {
    const { bad: isBad, done } = read(Buffer.from(text, 'latin1'), [])
    assert.deepEqual({ isBad, done }, { isBad: true, done: false }, JSON.stringify(text.slice(0, 40)))
  }
})

test('ChunkedBody can be used again', () => {
  const body = new ChunkedBody()
  for (const text of ['3\r\nabc\r\n0\r\nX-A: b\r\n\r\n', '3;x=y\r\nab', '1\r\nz\r\n0\r\n\r\n']) {
    body.reset()
    const spans: number[] = []
    const bytes = Buffer.from(text)
    body.read(bytes, { at: 0, end: bytes.length }, spans)
    assert.equal(body.bad, false)
    assert.equal(body.done, text.endsWith('\r\n\r\n'))
  }
})
