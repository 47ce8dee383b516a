import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sink } from '@ascribe/relay'
import type { Step } from '@ascribe/usage'
import fc from 'fast-check'
import { createFramedBody, createOpaqueBody, readBody } from './reply-body.ts'
import type { ReplyBody } from './reply-body.ts'

const NOTHING: Step = { now: [], afterSettlement: [] }

/** What has been written to a client. */
function createSink(): Sink & { readonly text: string } {
  const written: Buffer[] = []
  return {
    get text() {
      return Buffer.concat(written).toString('latin1')
    },
    write: (chunk) => void written.push(chunk),
    barrier: () => {},
    end: () => {},
    reply: () => {},
    reset: () => {},
    headSent: true,
  }
}

/** What the client has before the settlement, and in the end. */
function passed(body: ReplyBody, chunks: readonly Buffer[]): { readonly before: string; readonly whole: string } {
  const sink = createSink()
  for (const chunk of chunks) body.data(chunk, NOTHING, sink)
  const before = sink.text
  body.end(NOTHING, sink)
  return { before, whole: sink.text }
}

const chunks = fc.array(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 8 },
)

for (const [name, create] of [
  ['createFramedBody()', (bytes: number) => createFramedBody(bytes)],
  ['createOpaqueBody()', () => createOpaqueBody()],
] as const) {
  test(`${name} never gives out a whole body before its end, and all of it then, however it is cut`, () => {
    fc.assert(
      fc.property(chunks, (cut) => {
        const all = Buffer.concat(cut)
        const { before, whole } = passed(create(all.length), cut)
        assert.equal(whole, all.toString('latin1'))
        assert.ok(all.length === 0 || before.length < all.length)
        assert.ok(whole.startsWith(before))
      }),
    )
  })
}

test('createFramedBody() holds the chunk that completes the body, and nothing before it', () => {
  assert.deepEqual(passed(createFramedBody(6), [Buffer.from('abc'), Buffer.from('def')]), { before: 'abc', whole: 'abcdef' })
})

test('createOpaqueBody() holds one byte', () => {
  assert.deepEqual(passed(createOpaqueBody(), [Buffer.from('abc'), Buffer.from('def')]), { before: 'abcde', whole: 'abcdef' })
})

test('readBody gives out what the reader of usage says, when it says so', () => {
  const sink = createSink()
  readBody.data(Buffer.from('ignored'), { now: [Buffer.from('a'), Buffer.from('b')], afterSettlement: [Buffer.from('c')] }, sink)
  assert.equal(sink.text, 'ab')
  readBody.end({ now: [], afterSettlement: [Buffer.from('c')] }, sink)
  assert.equal(sink.text, 'abc')
})
