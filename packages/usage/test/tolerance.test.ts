import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api } from '@ascribe/usage'
import { factsOf, jsonRun, run } from './replies.ts'
import type { Outcome, Run } from './replies.ts'
import { MESSAGES, RESPONSES } from './typed-replies.ts'

// A reader of streams is tolerant, and correct by the specification (WHATWG HTML section 9.2): a test for each way in which engines differ.

type Stream = { readonly api: Api; readonly request: string; readonly events: readonly string[]; readonly terminal: string }

const chatEvents = [
  '{"model":"tiny","choices":[{"index":0,"delta":{"content":"a"}}]}',
  '{"model":"tiny","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  '{"model":"tiny","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}',
].map((data) => `data: ${data}\n\n`)

const STREAMS: readonly Stream[] = [
  { api: 'chat', request: '{"model":"tiny","stream":true,"messages":[]}', events: chatEvents, terminal: 'data: [DONE]\n\n' },
  {
    api: 'responses',
    request: '{"model":"tiny","stream":true,"input":"x"}',
    events: [RESPONSES.created, RESPONSES.delta('a')],
    terminal: RESPONSES.end(RESPONSES.usage(9, 0, 3)),
  },
  {
    api: 'messages',
    request: '{"model":"tiny","stream":true,"messages":[]}',
    events: [MESSAGES.start({ input_tokens: 9, output_tokens: 0 }), MESSAGES.delta('a'), MESSAGES.finish({ output_tokens: 3 })],
    terminal: MESSAGES.stop,
  },
]

/** Reads each stream, changed as `change` says, in one piece and byte by byte; each time it must be reported, and its bytes kept. */
function tolerates(change: (text: string) => string, more: Partial<Run> = {}): void {
  for (const { api, request, events, terminal } of STREAMS) {
    const text = change(events.join('') + terminal)
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]))
    for (const chunks of [[text], bytes]) {
      const outcome = run({ api, request, injected: false, chunks, ...more })
      const { provenance, promptTokens, completionTokens, model } = outcome.settlement
      assert.deepEqual([provenance, promptTokens, completionTokens, model], ['reported', 9, 3, 'tiny'], `${api}: ${JSON.stringify(text)}`)
      assert.equal(outcome.now.toString() + outcome.later.toString(), text)
    }
  }
}

test('lines may end in LF', () => tolerates((text) => text))

test('lines may end in CR LF', () => tolerates((text) => text.replaceAll('\n', '\r\n')))

test('lines may end in CR', () => tolerates((text) => text.replaceAll('\n', '\r')))

test('lines of one stream may end in each of them', () => {
  const ends = ['\r\n\n', '\n\r', '\r\r', '\n\r\n']
  let event = 0
  tolerates((text) => text.replaceAll('\n\n', () => ends[event++ % ends.length] ?? ''))
})

test('a stream may begin with a byte order mark', () => tolerates((text) => `\uFEFF${text}`))

test('no space need stand after the colon', () => tolerates((text) => text.replaceAll('data: ', 'data:').replaceAll('event: ', 'event:')))

test('the data of an event may stand in several lines', () =>
  tolerates((text) => text.replaceAll(/^data: (\{.*?,)(".*)$/gm, 'data: $1\ndata: $2')))

test('the last line may lack its end', () => tolerates((text) => text.trimEnd()))

test('comments, ids and fields that nobody knows may stand anywhere', () =>
  tolerates((text) => `: hello\n\n${text.replaceAll('data: {', 'id: 7\n: ping\nretry: 10\nnew: x\ndata: {')}`))

test('the empty lines between events may be forgotten', () => tolerates((text) => text.replaceAll(/\n\n(?=event|data)/g, '\n')))

test('the content type may be in any case, with any parameters, or not say that it is a stream', () => {
  for (const contentType of ['Text/Event-Stream', 'TEXT/EVENT-STREAM;Charset=UTF-8', ' text/event-stream ; x=y', 'text/plain', ''])
    tolerates((text) => text, { contentType })
})

test('"stream": 1 and "stream": "true" may be answered by a stream or not: what comes is read', () => {
  for (const { api, request, events, terminal } of STREAMS) {
    for (const value of ['1', '"true"']) {
      const lax = request.replace('"stream":true', `"stream":${value}`)
      assert.equal(factsOf(lax, api).streams, true)
      const streamed = run({ api, request: lax, chunks: [events.join('') + terminal] })
      assert.equal(streamed.settlement.completionTokens, 3)
      const names = api === 'chat' ? ['prompt_tokens', 'completion_tokens'] : ['input_tokens', 'output_tokens']
      const body = JSON.stringify({ model: 'tiny', usage: { [names[0] ?? '']: 9, [names[1] ?? '']: 3 } })
      const whole = run({ api, request: lax, contentType: 'application/json', chunks: [body] })
      assert.equal(whole.settlement.completionTokens, 3)
    }
  }
})

const usageOf = (api: Api, input: string, output: string): Outcome => {
  const names = api === 'chat' ? ['prompt_tokens', 'completion_tokens'] : ['input_tokens', 'output_tokens']
  const content =
    api === 'chat' ? '"choices":[{"message":{"content":"hello"}}]' : '"content":[{"text":"hello"}],"output":[{"text":"hello"}]'
  return jsonRun(api, `{${content},"usage":{"${names[0]}":${input},"${names[1]}":${output}}}`)
}

test('a count may be written as 300.0 or 3e2', () => {
  for (const { api } of STREAMS) {
    for (const text of ['300.0', '3e2', '300.00e0']) {
      const { settlement } = usageOf(api, text, '5')
      assert.deepEqual([settlement.provenance, settlement.promptTokens, settlement.invalidUsage], ['reported', 300, undefined], text)
    }
  }
})

test('a negative, fractional or absurd count is never a credit and never a count: what passed is estimated, and the record says why', () => {
  for (const { api } of STREAMS) {
    for (const text of ['-300', '-0.5', '2.5', '1e30', '9007199254740993', '"300"', 'true', '[]']) {
      const input = usageOf(api, text, '5').settlement
      assert.deepEqual([input.provenance, input.completionTokens, input.invalidUsage], ['estimated', 5, true], `${api} ${text}`)
      const output = usageOf(api, '300', text).settlement
      assert.deepEqual([output.provenance, output.promptTokens, output.invalidUsage], ['estimated', 300, true], `${api} ${text}`)
      for (const { meters } of [input, output]) assert.ok(Object.values(meters).every((count) => Number.isSafeInteger(count) && count >= 0))
    }
  }
})

test('classes that are more than 2^53 together are no count', () => {
  const huge = String(Number.MAX_SAFE_INTEGER)
  const { settlement } = jsonRun('messages', `{"usage":{"input_tokens":${huge},"cache_read_input_tokens":${huge},"output_tokens":1}}`)
  assert.deepEqual([settlement.invalidUsage, settlement.completionTokens], [true, 1])
})

test('a line of 20 MB costs no more than its length, in every API', () => {
  const piece = Buffer.alloc(1000, 'x')
  for (const { api, request } of STREAMS) {
    const { reader } = run({ api, request, injected: false, chunks: [], broken: true })
    reader.push(Buffer.from('data: {"delta":"'))
    let given = 0
    // With a rescan on each push this would be 200 GB of scanning.
    for (let index = 0; index < 20_000; index += 1) given += reader.push(piece).now.reduce((sum, part) => sum + part.length, 0)
    assert.ok(given > 19_000_000, api)
  }
})

test('a JSON body that is called a stream is never free, and counts as what it is', () => {
  const body =
    '{"model":"tiny","choices":[{"index":0,"message":{"content":"abc"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}'
  for (const contentType of ['text/event-stream', 'text/plain', 'application/octet-stream'])
    for (const text of [body, `\uFEFF \n${body}\n`])
      for (const size of [1, 7, 4096]) {
        const bytes = Buffer.from(text)
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        )
        const request = '{"model":"tiny","stream":true,"messages":[]}'
        const { settlement, now, later } = run({ api: 'chat', request, injected: true, chunks, contentType })
        const { provenance, promptTokens, completionTokens } = settlement
        assert.deepEqual([provenance, promptTokens, completionTokens], ['reported', 9, 3], `${contentType} ${size}`)
        assert.equal(now.toString() + later.toString(), text)
      }
})

test('a stream that is called JSON never costs the bytes around its words', () =>
  tolerates((text) => text, { contentType: 'application/json' }))
