import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReplyReader } from '@ascribe/usage'
import type { ReplyReader } from '@ascribe/usage'
import fc from 'fast-check'
import { cutAt, run } from './replies.ts'
import type { Outcome } from './replies.ts'

const chunkOf = (content: string, more = ''): string =>
  `{"model":"tiny","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]${more}}`
const FINISH = '{"model":"tiny","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
const USAGE = '{"model":"tiny","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'
const DONE = 'data: [DONE]\n\n'

const stream = (...datas: string[]): string => datas.map((data) => `data: ${data}\n\n`).join('')
const read = (text: string | Buffer, more: Partial<Parameters<typeof run>[0]> = {}): Outcome =>
  run({ api: 'chat', chunks: [text], ...more })

const newReader = (): ReplyReader =>
  createReplyReader({
    api: 'chat',
    asked: { choices: 1, prompts: 1, promptBytes: 10 },
    streamedRequest: true,
    injected: false,
    contentType: 'text/event-stream',
  })

function assertReported(outcome: Outcome): void {
  const { provenance, promptTokens, completionTokens, model } = outcome.settlement
  assert.deepEqual(
    { provenance, promptTokens, completionTokens, model },
    { provenance: 'reported', promptTokens: 7, completionTokens: 3, model: 'tiny' },
  )
}

test('push() holds the terminal event and what follows for after the settlement', () => {
  const text = stream(chunkOf('a'), FINISH, USAGE)
  const outcome = read(`${text}${DONE}: bye\n\n`, { injected: false })
  assert.equal(outcome.now.toString(), text)
  assert.equal(outcome.later.toString(), `${DONE}: bye\n\n`)
  assert.equal(outcome.reader.terminal, true)
  assertReported(outcome)
})

test('push() lets every byte flow at once but the start of what may be the terminal event', () => {
  const reader = run({ api: 'chat', chunks: [], injected: false, broken: true }).reader
  const steps: [string, string][] = [
    ['data: {"cho', 'data: {"cho'],
    ['ices"', 'ices"'],
    [':[]}\n\nda', ':[]}\n\n'],
    ['ta: [DON', ''],
    ['G]\n', 'data: [DONG]\n'],
  ]
  for (const [chunk, now] of steps) assert.equal(Buffer.concat(reader.push(Buffer.from(chunk)).now).toString(), now)
  assert.equal(reader.terminal, false)
})

test('push() knows the terminal event in whatever way it is written', () => {
  for (const done of [
    'data:[DONE]\n\n',
    'data: [DONE]\r\n\r\n',
    'data: [DONE]\r\r',
    'data:  \t[DONE] \n\n',
    'data: [DONE]',
    'event: x\ndata: [DONE]\n\n',
  ]) {
    const outcome = read(stream(chunkOf('a')) + done, { injected: false })
    assert.equal(outcome.reader.terminal, true, JSON.stringify(done))
    assert.equal(outcome.now.includes('DONE'), false)
    assert.equal(outcome.now.toString() + outcome.later.toString(), stream(chunkOf('a')) + done)
  }
})

test('push() is not taken in by a terminal event that is text', () => {
  const text = stream(chunkOf('\ndata: [DONE]\n\n'), chunkOf('[DONE]')) + ': data: [DONE]\nid: [DONE]\n\n'
  const outcome = read(text, { injected: false })
  assert.equal(outcome.reader.terminal, false)
  assert.equal(outcome.now.toString(), text)
})

test('push() withholds the answer to include_usage if, and only if, the wish was injected', () => {
  const text = stream(chunkOf('a'), FINISH, USAGE) + DONE
  assert.equal(read(text, { injected: true }).now.toString(), stream(chunkOf('a'), FINISH))
  assert.equal(read(text, { injected: false }).now.toString(), stream(chunkOf('a'), FINISH, USAGE))
  assertReported(read(text, { injected: true }))
})

test('push() withholds no other event, however much it looks like one', () => {
  const others = [
    '{"choices":[],"usage":null}',
    '{"choices":[]}',
    '{"usage":{"prompt_tokens":7,"completion_tokens":3}}',
    '{"choices":null,"usage":{"prompt_tokens":7,"completion_tokens":3}}',
    '{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}',
    '{"x":{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}}',
    chunkOf('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'),
    '[{"choices":[],"usage":{}}]',
    'not json "choices":[],"usage":{"prompt_tokens":1}',
  ]
  const text = stream(...others)
  assert.equal(read(text, { injected: true }).now.toString(), text)
})

test('push() withholds with white space, several data lines, comments, and any line end', () => {
  const forms = [
    'data: { "choices" : [ ] , "usage" : {"prompt_tokens":7,"completion_tokens":3} }\n\n',
    'data: {"choices":[\ndata: ],"usage":\ndata:{"prompt_tokens":7,"completion_tokens":3}}\n\n',
    ': hi\nid: 7\ndata: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n',
    'data:{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\r\r',
    'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\r\n\r\n',
    'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\r\n\n',
    'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\r',
  ]
  const rest = stream(chunkOf('b'))
  for (const form of forms)
    assert.equal(read(stream(FINISH) + form + rest, { injected: true }).now.toString(), stream(FINISH) + rest, JSON.stringify(form))
})

test('push() lets an event that is longer than it may hold flow, in one chunk as in many', () => {
  const long = `{"pad":"${'x'.repeat(17_000)}","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}`
  const text = Buffer.from(stream(chunkOf('a'), FINISH, long) + DONE)
  for (const size of [text.length, 5000, 100]) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.subarray(index * size, (index + 1) * size))
    const outcome = run({ api: 'chat', injected: true, chunks })
    assert.equal(outcome.now.toString(), stream(chunkOf('a'), FINISH, long), `chunks of ${size}`)
    assertReported(outcome)
  }
})

test('push() gives out an event that outgrows the hold before it is complete', () => {
  const { reader } = run({ api: 'chat', injected: true, chunks: [], broken: true })
  const start = Buffer.from(`data: {"pad":"${'x'.repeat(10_000)}`)
  assert.equal(reader.push(start).now.length, 0)
  const flowing = Buffer.concat(reader.push(Buffer.from('y'.repeat(10_000))).now)
  assert.equal(flowing.length, start.length + 10_000)
})

test('push() counts an event of more than a MiB as content and goes on reading after it', () => {
  const big = Buffer.from(`data: {"choices":[{"delta":{"content":"${'x'.repeat(3 << 20)}"}}]}\n\n`)
  const chunks = cutAt(
    big,
    Array.from({ length: 60 }, (_, index) => index * 65_536),
  )
  const broken = run({ api: 'chat', injected: true, chunks, broken: true })
  assert.equal(broken.now.length, big.length)
  assert.equal(broken.settlement.provenance, 'estimated')
  assert.ok((broken.settlement.completionTokens ?? 0) >= (3 << 20) / 4)
  assertReported(run({ api: 'chat', injected: true, chunks: [...chunks, stream(FINISH, USAGE), DONE] }))
})

test('push() costs no more for a line in a thousand pieces than its length', () => {
  const reader = run({ api: 'chat', injected: true, chunks: [], broken: true }).reader
  const piece = Buffer.alloc(1000, 'x')
  reader.push(Buffer.from('data: {"choices":[{"delta":{"content":"'))
  let given = 0
  // 20 MB without a line end: with a rescan on each push this would be 200 GB of scanning.
  for (let index = 0; index < 20_000; index += 1) given += reader.push(piece).now.reduce((sum, part) => sum + part.length, 0)
  assert.ok(given >= 20_000 * 1000)
})

test('end() gives back what was held and reads a last line that lacks its end', () => {
  const text = stream(chunkOf('a'), FINISH)
  const last = `data: ${USAGE}`
  const passed = read(text + last, { injected: false })
  assert.equal(passed.now.toString() + passed.later.toString(), text + last)
  assertReported(passed)
  const withheld = read(text + last, { injected: true })
  assert.equal(withheld.now.toString() + withheld.later.toString(), text)
  assertReported(withheld)
  const half = read(`${text}data: {"choices":[],"us`, { injected: true })
  assert.equal(half.later.toString(), 'data: {"choices":[],"us')
  assert.equal(read(`${text}data: [DO`).later.toString(), 'data: [DO')
})

test('push() reads events whose empty lines were forgotten', () => {
  const text = `data: ${chunkOf('a')}\ndata: ${FINISH}\ndata: ${USAGE}\ndata: [DONE]\n\n`
  const outcome = read(text, { injected: false })
  assertReported(outcome)
  assert.equal(outcome.later.toString(), DONE)
})

type Block = { readonly text: string; readonly isUsage: boolean }

const LINE_ENDS = ['\n', '\r\n', '\r'] as const
const lineEnds = fc
  .tuple(fc.constantFrom(...LINE_ENDS), fc.constantFrom(...LINE_ENDS))
  .filter(([line, empty]) => !(line === '\r' && empty === '\n'))
const payload = fc.oneof(
  fc
    .string({ unit: fc.constantFrom('a', '"', '\\', 'é', '{', 'usage', ' ', '\n', '[DONE]', '🦙') })
    .map((content) => ({ data: chunkOf(content), isUsage: false })),
  fc.nat(50).map((count) => ({ data: chunkOf('x', `,"usage":{"prompt_tokens":7,"completion_tokens":${count}}`), isUsage: false })),
  fc
    .nat(50)
    .map((count) => ({ data: `{"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":${count}}}`, isUsage: true })),
  fc.constantFrom(FINISH, 'ping', '', '{"choices":[],"usage":null}').map((data) => ({ data, isUsage: false })),
)
const block: fc.Arbitrary<Block> = fc
  .record({ payload, before: fc.constantFrom('', ': ping', 'event: x', 'id'), space: fc.boolean(), ends: lineEnds })
  .map(({ payload: { data, isUsage }, before, space, ends: [line, empty] }) => ({
    text: `${before === '' ? '' : before + line}data:${space ? ' ' : ''}${data}${line}${empty}`,
    isUsage,
  }))
const streams = fc.record({
  mark: fc.constantFrom('', '\uFEFF'),
  blocks: fc.array(block, { maxLength: 8 }),
  tail: fc.constantFrom(
    '',
    'data: [DONE]\n\n',
    'data:[DONE]\r\n\r\n',
    'data: [DONE]',
    'data: [DO',
    'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}',
  ),
})

test('the bytes given out are the reply without the withheld events, and the usage the same, however it is cut (property)', () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat()), fc.boolean(), fc.boolean(), ({ mark, blocks, tail }, cuts, injected, broken) => {
      const text = Buffer.from(mark + blocks.map((one) => one.text).join('') + tail)
      const expected = mark + blocks.map((one) => (injected && one.isUsage ? '' : one.text)).join('') + tail
      const whole = run({ api: 'chat', injected, broken, chunks: [text] })
      const cut = run({ api: 'chat', injected, broken, chunks: cutAt(text, cuts) })
      assert.equal(whole.now.toString() + whole.later.toString(), expected)
      assert.equal(cut.now.toString() + cut.later.toString(), expected)
      assert.equal(cut.reader.terminal, tail.includes('[DONE]'))
      if (cut.reader.terminal) assert.equal(cut.later.toString(), tail)
      assert.deepEqual(cut.settlement, whole.settlement)
    }),
    { numRuns: 1000 },
  )
})

test('digest() decides when events are read, not what is seen of them (property)', () => {
  fc.assert(
    fc.property(streams, fc.constantFrom(1, 40), fc.array(fc.nat()), fc.array(fc.boolean()), ({ blocks, tail }, times, cuts, digests) => {
      // More events in one chunk than are put off.
      const text = Buffer.from(`${stream(FINISH)}${blocks.map((one) => one.text).join('')}`.repeat(times) + tail)
      const [whole, cut] = [newReader(), newReader()]
      for (const [index, chunk] of cutAt(text, cuts).entries()) {
        cut.push(chunk)
        if (digests[index] === true) cut.digest()
      }
      whole.read(text)
      assert.deepEqual(cut.observation, whole.observation)
    }),
    { numRuns: 300 },
  )
})

test('push() never throws and loses no byte of what is no stream at all (property)', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: fc.constantFrom('data:', ' ', '[DONE]', '\n', '\r', '{', '"usage":', '}', 'd') }).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(noise, fc.array(fc.nat()), (bytes, cuts) => {
      const outcome = run({ api: 'chat', injected: false, chunks: cutAt(Buffer.from(bytes), cuts) })
      assert.deepEqual(Buffer.concat([outcome.now, outcome.later]), Buffer.from(bytes))
    }),
    { numRuns: 1000 },
  )
})
