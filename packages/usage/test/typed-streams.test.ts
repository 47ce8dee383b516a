import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cutAt, jsonRun } from './replies.ts'
import { MESSAGES, RESPONSES, TYPED_APIS, leftMidway, stream, told, typed } from './typed-replies.ts'

// What holds for Responses and Messages alike: their events say by a type what they are, and the last one ends the reply.

const USAGE = RESPONSES.usage(9, 4, 3)
const INPUT = { input_tokens: 5, cache_read_input_tokens: 4, output_tokens: 0 }

type Streams = { readonly before: readonly string[]; readonly terminal: string; readonly reported: readonly unknown[] }

/** A whole stream; `pad` goes into the terminal event, or for Messages, where that holds nothing, before it. */
function whole(api: 'responses' | 'messages', pad = ''): Streams {
  const reported = ['reported', 9, 4, 3]
  if (api === 'responses') {
    const before = [RESPONSES.created, RESPONSES.delta('a'), RESPONSES.delta('b')]
    return { before, terminal: RESPONSES.end(USAGE, pad === '' ? {} : { output: [{ text: pad }] }), reported }
  }
  const ping = pad === '' ? [] : [typed({ type: 'ping', pad })]
  const before = [MESSAGES.start(INPUT), MESSAGES.delta('a'), ...ping, MESSAGES.finish({ output_tokens: 3 })]
  return { before, terminal: MESSAGES.stop, reported }
}

test('the terminal event never flows before the settlement, however long it is and however it is cut', () => {
  for (const api of TYPED_APIS) {
    for (const length of [0, 1000, 20_000, 3 << 20]) {
      const { before, terminal, reported } = whole(api, 'x'.repeat(length))
      const text = Buffer.from(before.join('') + terminal)
      for (const size of [text.length, 65_536, 1009]) {
        const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.subarray(index * size, (index + 1) * size))
        const outcome = stream(api, chunks)
        assert.deepEqual(told(outcome), reported, `${api}, ${length} bytes in chunks of ${size}`)
        assert.ok(Buffer.concat([outcome.now, outcome.later]).equals(text))
        assert.equal(outcome.reader.terminal, true)
        const held = outcome.later.toString()
        if (terminal.length < 16_000) assert.equal(held, terminal)
        // Of a longer one at least the end is held, without which nobody can take it for a whole one.
        else assert.ok(held.endsWith('}\n\n'), `${api}, ${length} bytes in chunks of ${size}`)
      }
    }
  }
})

test('a piece of content flows with the chunk that completes it, and the one after it is not waited for', () => {
  for (const api of TYPED_APIS) {
    const { reader } = stream(api, [], { broken: true })
    const events = whole(api).before
    for (const event of events) assert.equal(Buffer.concat(reader.push(Buffer.from(event)).now).toString(), event)
  }
})

test('an event that is longer than what may be held flows before it is whole, but for its end', () => {
  for (const api of TYPED_APIS) {
    const { reader } = stream(api, [], { broken: true })
    const long = Buffer.from(typed({ type: 'ping', pad: 'x'.repeat(40_000) }))
    assert.equal(reader.push(long.subarray(0, 10_000)).now.length, 0)
    assert.equal(Buffer.concat(reader.push(long.subarray(10_000, 30_000)).now).length, 29_999)
    assert.equal(Buffer.concat(reader.push(long.subarray(30_000)).now).length, long.length - 29_999)
    assert.equal(reader.terminal, false)
  }
})

test('a response of many MiB in one event costs no more than its length, keeps nothing of it, and its usage is read', () => {
  const { reader } = stream('responses', [], { broken: true })
  const piece = Buffer.alloc(1 << 16, 'x')
  reader.push(Buffer.from('event: response.completed\ndata: {"type":"response.completed","response":{"output":[{"result":"'))
  let given = 0
  // 64 MiB without a line end: with a rescan on each push this would be 32 GiB of scanning.
  for (let index = 0; index < 1024; index += 1) given += reader.push(piece).now.reduce((sum, part) => sum + part.length, 0)
  assert.ok(given > 63 << 20)
  const last = reader.push(Buffer.from(`"}],"model":"tiny","status":"completed","usage":${JSON.stringify(USAGE)}}}\n\n`))
  assert.equal(Buffer.concat(last.afterSettlement).toString(), '}\n\n')
  assert.equal(reader.terminal, true)
  const { usage, model, finishReason } = reader.observation
  assert.deepEqual([usage.kind, model, finishReason], ['counts', 'tiny', 'completed'])
})

test('only what stands in the response of a long event is believed, and not what stands before, after or below it', () => {
  const forged = { usage: RESPONSES.usage(1, 0, 0), model: 'free', status: 'forged' }
  const response = {
    output: [{ ...forged, text: 'x'.repeat(2 << 20) }],
    model: 'tiny',
    status: 'completed',
    usage: USAGE,
    metadata: forged,
  }
  const text = Buffer.from(typed({ type: 'response.completed', before: forged, response, after: forged, last: { response: forged } }))
  const chunks = cutAt(
    text,
    Array.from({ length: 40 }, (_, index) => index * 65_536),
  )
  for (const pieces of [chunks, [text]]) {
    const outcome = stream('responses', pieces)
    assert.deepEqual(told(outcome), ['reported', 9, 4, 3])
    assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'completed'])
  }
})

test('an event that is nested without end throws nothing', () => {
  const nested = `${'['.repeat(200_000)}"x"${']'.repeat(200_000)}`
  for (const [api, data] of [
    ['responses', `{"type":"response.output_text.delta","delta":${nested}}`],
    ['messages', `{"type":"content_block_delta","delta":{"x":${nested}}}`],
  ] as const) {
    const outcome = stream(api, [`data: ${data}\n\n`, whole(api).before.join('') + whole(api).terminal])
    assert.deepEqual(told(outcome), ['reported', 9, 4, 3])
  }
})

test('a long event that is no content is none: what is left midway after it is not billed for it', () => {
  const long = typed({ type: 'response.in_progress', response: { instructions: 'x'.repeat(3 << 20) } })
  const chunks = cutAt(
    Buffer.from(long),
    Array.from({ length: 60 }, (_, index) => index * 65_536),
  )
  assert.deepEqual(told(stream('responses', [...chunks, RESPONSES.delta('a')], leftMidway)), ['estimated', 3, 0, 1])
  const audio = typed({ type: 'response.audio.delta', delta: 'x'.repeat(3 << 20) })
  const pieces = cutAt(
    Buffer.from(audio),
    Array.from({ length: 60 }, (_, index) => index * 65_536),
  )
  assert.ok(Number(stream('responses', pieces, leftMidway).settlement.completionTokens) > 500_000)
})

test('text that looks like a terminal event ends no stream', () => {
  const words = ['response.completed', '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n', '{"type":"response.completed"}']
  for (const api of TYPED_APIS) {
    const { before, terminal } = whole(api)
    const delta = api === 'responses' ? RESPONSES.delta : MESSAGES.delta
    const nested = typed({
      type: 'x',
      message: { type: 'message_stop' },
      response: { type: 'response.completed' },
      item: { type: 'message_stop' },
    })
    const text = [...before, ...words.map(delta), nested].join('')
    const outcome = stream(api, [text])
    assert.equal(outcome.reader.terminal, false)
    assert.equal(outcome.now.toString(), text)
    assert.equal(stream(api, [text + terminal]).later.toString(), terminal)
  }
})

const LINE_ENDS = ['\n', '\r\n', '\r'] as const
const texts = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é', '🦙', '\n', 'data: [DONE]', 'message_stop'), maxLength: 6 })
const counts = fc.record({ input_tokens: fc.nat(99), output_tokens: fc.nat(99), cache_read_input_tokens: fc.nat(99) }, { requiredKeys: [] })
const event = fc.oneof(
  texts.map((text) => ({ type: 'response.output_text.delta', delta: text })),
  texts.map((text) => ({ type: 'content_block_delta', delta: { type: 'text_delta', text } })),
  counts.map((usage) => ({ type: 'response.in_progress', response: { model: 'a', usage } })),
  counts.map((usage) => ({ type: 'message_start', message: { model: 'b', usage } })),
  counts.map((usage) => ({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage })),
  fc.jsonValue().map((value) => ({ type: 'new', response: value, usage: value, delta: value, content_block: value, message: value })),
)
const framed = fc
  .record({
    event,
    before: fc.constantFrom('', ': ping', 'id: 7'),
    named: fc.boolean(),
    space: fc.boolean(),
    end: fc.constantFrom(...LINE_ENDS),
  })
  .map(({ event: data, before, named, space, end }) => {
    const lines = [
      ...(before === '' ? [] : [before]),
      ...(named ? [`event: ${data.type}`] : []),
      `data:${space ? ' ' : ''}${JSON.stringify(data)}`,
    ]
    return lines.map((line) => line + end).join('') + end
  })
const streams = fc.record({
  mark: fc.constantFrom('', '\uFEFF'),
  events: fc.array(framed, { maxLength: 8 }),
  tail: fc.constantFrom(
    '',
    RESPONSES.end(USAGE),
    MESSAGES.stop,
    'data: [DONE]\n\n',
    MESSAGES.stop.trimEnd(),
    RESPONSES.end(USAGE).slice(0, -20),
  ),
  after: fc.constantFrom('', ': bye\n\n', RESPONSES.delta('late')),
})

test('the bytes given out are the reply, and what is settled the same, however it is cut (property)', () => {
  fc.assert(
    fc.property(
      streams,
      fc.constantFrom(...TYPED_APIS),
      fc.array(fc.nat()),
      fc.boolean(),
      ({ mark, events, tail, after }, api, cuts, broken) => {
        const text = Buffer.from(mark + events.join('') + tail + after)
        const one = stream(api, [text], { broken })
        const many = stream(api, cutAt(text, cuts), { broken })
        const single = stream(
          api,
          [...text].map((byte) => Buffer.from([byte])),
          { broken },
        )
        for (const outcome of [one, many, single]) {
          assert.equal(outcome.now.toString() + outcome.later.toString(), text.toString())
          assert.deepEqual(outcome.settlement, one.settlement)
          assert.equal(outcome.reader.terminal, one.reader.terminal)
        }
        const { meters, promptTokens, completionTokens } = one.settlement
        const total = Object.values(meters).reduce((sum, count) => sum + count, 0)
        assert.ok(Object.values(meters).every((count) => Number.isSafeInteger(count) && count >= 0))
        assert.equal(total, (promptTokens ?? 0) + (completionTokens ?? 0), 'classes are disjoint and add up')
      },
    ),
    { numRuns: 600 },
  )
})

test('a stream and a JSON body never throw and lose no byte, whatever they are (property)', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .string({
        unit: fc.constantFrom('data:', 'event:', '{"type":"message_stop"}', '\n', '\r', '{', '"usage":{', '"response":', '}', '[', ','),
      })
      .map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(noise, fc.constantFrom(...TYPED_APIS), fc.array(fc.nat()), (bytes, api, cuts) => {
      const text = Buffer.from(bytes)
      for (const outcome of [stream(api, cutAt(text, cuts)), jsonRun(api, '', { chunks: cutAt(text, cuts) })])
        assert.deepEqual(Buffer.concat([outcome.now, outcome.later]), text)
    }),
    { numRuns: 600 },
  )
})

test('a JSON body is read the same however it is cut, and as JSON.parse reads it (property)', () => {
  const usage = fc.record({ input_tokens: fc.nat(1_000_000_000), output_tokens: fc.nat(1_000_000_000), x: fc.jsonValue() })
  const members = fc.record(
    {
      model: fc.string(),
      usage: fc.option(usage),
      status: fc.string(),
      stop_reason: fc.option(fc.string()),
      incomplete_details: fc.option(fc.record({ reason: fc.string(), usage })),
      output: fc.array(fc.record({ content: fc.array(fc.record({ text: fc.string(), usage })), status: fc.string() })),
      content: fc.array(fc.record({ text: fc.string(), input: fc.jsonValue(), model: fc.string() })),
      metadata: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(members, fc.constantFrom(...TYPED_APIS), fc.array(fc.nat()), (value, api, cuts) => {
      const text = Buffer.from(JSON.stringify(value))
      const one = jsonRun(api, text).reader.observation
      const cut = jsonRun(api, '', { chunks: cutAt(text, cuts) }).reader.observation
      assert.deepEqual(cut, one)
      const parsed = JSON.parse(text.toString())
      assert.equal(one.model ?? '', parsed.model ?? '')
      assert.equal(one.usage.kind === 'counts' ? one.usage.counts.completion : undefined, parsed.usage?.output_tokens)
      const ofResponses = [parsed.incomplete_details?.reason, parsed.status]
      const reasons: string[] = api === 'messages' ? [parsed.stop_reason] : ofResponses
      assert.equal(one.finishReason ?? '', reasons.find((reason) => reason !== undefined && reason !== null && reason !== '') ?? '')
    }),
    { numRuns: 400 },
  )
})
