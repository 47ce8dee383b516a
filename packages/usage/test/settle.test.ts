import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { settle } from '@ascribe/usage'
import type { Api, Ending, MultipleChoices, Outcome as HowEnded } from '@ascribe/usage'
import { ENDING, jsonRun, run } from './replies.ts'
import type { Outcome, Run } from './replies.ts'

const delta = (content: string, index = 0): string =>
  `data: {"model":"m","choices":[{"index":${index},"delta":{"content":"${content}"}}]}\n\n`
const finish = (index = 0): string => `data: {"choices":[{"index":${index},"delta":{},"finish_reason":"stop"}]}\n\n`
const usage = (prompt: number, completion: number, choices = ''): string =>
  `data: {"choices":[${choices}],"usage":{"prompt_tokens":${prompt},"completion_tokens":${completion}}}\n\n`
const running = (prompt: number, completion: number): string => usage(prompt, completion, '{"index":0,"delta":{"content":"x"}}')
const DONE = 'data: [DONE]\n\n'
const TWO = '{"model":"m","stream":true,"n":2,"max_tokens":10,"messages":[{"role":"user","content":"12345678"}]}'

const stream = (events: readonly string[], more: Partial<Run> = {}): Outcome => run({ api: 'chat', chunks: events, ...more })
const broken = (events: readonly string[], outcome: HowEnded, more: Partial<Run> = {}): Outcome =>
  stream(events, { broken: true, ending: { outcome }, ...more })
const told = ({ settlement: { provenance, promptTokens, completionTokens } }: Outcome): unknown[] => [
  provenance,
  promptTokens,
  completionTokens,
]

test('settle() knows nothing where nothing passed, and says so with nulls', () => {
  const nothing = { provenance: 'unknown', promptTokens: null, cachedTokens: null, completionTokens: null, meters: {} }
  const { outcome, endedAt, ...quantities } = settle(undefined, { outcome: 'upstream_error', endedAt: 5, multipleChoices: 'count' })
  assert.deepEqual({ outcome, endedAt, ...quantities }, { outcome: 'upstream_error', endedAt: 5, ...nothing })
  assert.deepEqual(told(stream([])), ['unknown', null, null])
  assert.deepEqual(told(broken([': ping\n\n', 'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'], 'aborted')), [
    'unknown',
    null,
    null,
  ])
})

test('settle() of a request that was cut off on purpose estimates what the engine has not said in the end, the prompt too', () => {
  const cut = (events: readonly string[], more: Partial<Ending> = {}): unknown[] =>
    told(stream(events, { broken: true, ending: { outcome: 'aborted', isEstimated: true, ...more } }))
  assert.deepEqual(cut([]), ['estimated', 3, 0], 'nothing passed: the prompt has been read')
  assert.deepEqual(cut([delta('a'), delta('b')]), ['estimated', 3, 2])
  assert.deepEqual(cut([running(4, 17)]), ['estimated', 4, 17], 'a running count is the better guess, and is called one')
  assert.deepEqual(cut([delta('a'), finish(), usage(9, 700)]), ['reported', 9, 700], 'the last word of the engine stands')
  assert.deepEqual(cut([], { status: 500 }), ['unknown', null, null], 'an error is free')
})

test('more choices than were asked for by name are never billed as one', () => {
  const one = { message: { content: 'word '.repeat(50) }, finish_reason: 'length' }
  const body = { model: 'm', choices: [one, one, one], usage: { prompt_tokens: 10, completion_tokens: 50 } }
  for (const name of ['n_cmpl', 'N', 'num_choices']) {
    const request = `{"model":"m","max_tokens":50,"${name}":3,"messages":[]}`
    assert.deepEqual(told(jsonRun('chat', JSON.stringify(body), { request })), ['estimated', 10, 150], name)
  }
})

test('nobody is ever charged an absurd count', () => {
  const absurd = { model: 'm', choices: [{ message: { content: 'abcd' } }], usage: { prompt_tokens: 2 ** 52, completion_tokens: 3 } }
  const { settlement } = jsonRun('chat', JSON.stringify(absurd))
  assert.deepEqual(
    [settlement.provenance, settlement.promptTokens, settlement.completionTokens, settlement.invalidUsage],
    ['estimated', 1, 3, true],
  )
})

test('settle() passes status and time to the first byte through', () => {
  const { reader } = stream([delta('a')])
  const settlement = settle(reader.observation, { ...ENDING, status: 201, firstByteMs: 12 })
  assert.deepEqual([settlement.status, settlement.firstByteMs, settlement.endedAt], [201, 12, 1])
})

test('settle() calls an error of the upstream one, unless the client or we left first', () => {
  const cases: [HowEnded, HowEnded][] = [
    ['completed', 'upstream_error'],
    ['upstream_reset', 'upstream_error'],
    ['upstream_error', 'upstream_error'],
    ['aborted', 'aborted'],
    ['interrupted', 'interrupted'],
  ]
  for (const [outcome, expected] of cases) {
    const { settlement } = jsonRun('chat', '{"error":{"message":"no"}}', { ending: { outcome, status: 500 } })
    assert.deepEqual([settlement.outcome, settlement.provenance, settlement.completionTokens], [expected, 'unknown', null])
  }
  const charged = jsonRun('chat', '{"error":{},"usage":{"prompt_tokens":3,"completion_tokens":0}}', { ending: { status: 503 } })
  assert.deepEqual(told(charged), ['reported', 3, 0], 'what the engine charges for an error is charged')
})

test('settle() estimates from the pieces of a stream, and from the bytes where a piece is more than a token', () => {
  assert.deepEqual(told(stream([delta('a'), delta(' b'), delta(''), finish(), DONE])), ['estimated', 3, 2])
  assert.deepEqual(told(stream([delta('x'.repeat(50)), delta('y'.repeat(50)), DONE])), ['estimated', 3, 25])
  const escapes = [delta('a'), delta('\\u6a21'.repeat(6)), delta('\\ud83e\\udd99'.repeat(4)), delta('\\u00e9\\n\\u0041'.repeat(4)), DONE]
  assert.deepEqual(told(stream(escapes)), ['estimated', 3, 4], '51 bytes of UTF-8, not 141 of escapes')
})

test('settle() counts reasoning, refusals and tool calls as delivered content', () => {
  const deltas = [
    '{"reasoning_content":"a"}',
    '{"reasoning":"a","reasoning_content":"a"}',
    '{"refusal":"no"}',
    '{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}',
    '{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a"}}]}',
    '{"function_call":{"arguments":"x"}}',
    '{"audio":{"data":"AAAA"}}',
  ]
  const none = ['{}', '{"role":"assistant","content":""}', '{"content":null,"tool_calls":[]}']
  const events = (all: readonly string[]): string[] => all.map((one) => `data: {"model":"m","choices":[{"index":0,"delta":${one}}]}\n\n`)
  assert.deepEqual(told(stream([...events(deltas), ...events(none), DONE])), ['estimated', 3, deltas.length])
  assert.deepEqual(told(stream([...events(none), finish(), DONE])), ['estimated', 3, 0], 'it ended, and there was nothing')
})

test('settle() estimates a JSON body from its content, else from its bytes', () => {
  const ending: Partial<Run> = { request: '{"messages":[{"content":"123456789"}]}' }
  assert.deepEqual(told(jsonRun('chat', '{"choices":[{"message":{"content":"12345"},"finish_reason":"stop"}]}', ending)), [
    'estimated',
    3,
    2,
  ])
  assert.deepEqual(told(jsonRun('completions', '{"choices":[{"text":"123456789"}]}')), ['estimated', 1, 3])
  assert.deepEqual(told(jsonRun('chat', `{"x":{"content":"${'x'.repeat(99)}"},"choices":[{"message":{"content":"12345"}}]}`)), [
    'estimated',
    1,
    2,
  ])
  assert.deepEqual(told(jsonRun('chat', 'plain text!!')), ['estimated', 1, 3])
  assert.deepEqual(told(jsonRun('chat', '{"choices":[{"message":{"content":""}}]}')), ['estimated', 1, 0])
  assert.deepEqual(told(jsonRun('chat', '{"error":{"message":"no"}}')), ['unknown', null, null])
  assert.deepEqual(told(jsonRun('embeddings', '{"data":[{"embedding":[1,2]}]}', { request: '{"input":"12345"}' })), ['estimated', 2, 0])
})

test('settle() believes a running count until what passed after it says more', () => {
  assert.deepEqual(told(broken([running(5, 1), running(5, 2)], 'aborted')), ['continuous', 5, 2])
  assert.deepEqual(told(broken([running(5, 1), delta('a'), delta('b')], 'aborted')), ['estimated', 5, 3])
  assert.deepEqual(told(broken([delta('a'), usage(5, 1)], 'aborted')), ['continuous', 5, 1], 'nothing has ended yet')
  assert.deepEqual(told(broken([running(5, 1), finish(), usage(5, 9)], 'upstream_reset')), ['reported', 5, 9], 'the last word had come')
  assert.deepEqual(told(stream([running(5, 1), running(5, 2), DONE])), ['reported', 5, 2], 'the stream was whole')
})

test('settle() takes the sum of blocks that come choice by choice, with the prompt once', () => {
  const perChoice = [delta('a', 1), delta('b', 0), delta('c', 0), finish(1), usage(26, 1), finish(0), usage(26, 2), DONE]
  for (const multipleChoices of ['count', 'trust', 'refuse'] as const)
    assert.deepEqual(told(stream(perChoice, { request: TWO, ending: { multipleChoices } })), ['reported', 26, 3])
})

test('settle() does not add up counts that are totals already', () => {
  const total = [delta('a', 0), delta('b', 1), finish(0), finish(1), usage(26, 2), DONE]
  assert.deepEqual(told(stream(total, { request: TWO })), ['reported', 26, 2])
  const twice = [delta('a', 0), delta('b', 1), finish(0), finish(1), usage(26, 2), usage(26, 2), DONE]
  assert.deepEqual(told(stream(twice, { request: TWO })), ['reported', 26, 2])
  const continuous = [running(26, 1), finish(0), usage(26, 1), finish(1), usage(26, 3), DONE]
  assert.deepEqual(told(stream(continuous, { request: TWO })), ['reported', 26, 3])
})

test('settle() counts a stream of several choices itself where the report covers only one', () => {
  const short = [delta('a', 0), delta('b', 0), delta('c', 1), delta('d', 1), finish(0), finish(1), usage(26, 2), DONE]
  const outcome = (multipleChoices: MultipleChoices): Outcome => stream(short, { request: TWO, ending: { multipleChoices } })
  assert.deepEqual(told(outcome('count')), ['estimated', 26, 4])
  assert.deepEqual(told(outcome('trust')), ['reported', 26, 2])
  assert.deepEqual(told(broken([delta('a', 0), delta('b', 1), finish(1), usage(26, 1)], 'aborted', { request: TWO })), ['estimated', 26, 2])
})

test('settle() judges a JSON body of several choices by its limit', () => {
  const request = '{"n":2,"max_tokens":10}'
  const body = (completion: number, reasons: readonly string[]): string =>
    JSON.stringify({
      choices: reasons.map((reason) => ({ finish_reason: reason })),
      usage: { prompt_tokens: 5, completion_tokens: completion },
    })
  const read = (completion: number, reasons: readonly string[], multipleChoices: MultipleChoices = 'count'): unknown[] =>
    told(jsonRun('chat', body(completion, reasons), { request, ending: { multipleChoices } }))
  assert.deepEqual(read(10, ['length', 'length']), ['estimated', 5, 20])
  assert.deepEqual(read(20, ['length', 'length']), ['reported', 5, 20])
  assert.deepEqual(read(10, ['length', 'stop']), ['estimated', 5, 10])
  assert.deepEqual(read(10, ['length', 'length'], 'trust'), ['reported', 5, 10])
  assert.deepEqual(read(10, ['length']), ['reported', 5, 10], 'one choice came: one block for it')
  const embeddings = jsonRun('embeddings', '{"data":[],"usage":{"prompt_tokens":11,"total_tokens":11}}', { request: '{"input":["a","b"]}' })
  assert.deepEqual(told(embeddings), ['reported', 11, 0], 'the count of embeddings covers all inputs')
})

test('settle() gives a record of bounded size that a database takes, whatever the engine says (property)', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 2000 }),
    fc.constantFrom('\u0000', '\uD800', '"\\', '\u0001', '模').map((unit) => unit.repeat(2000)),
  )
  const endings: fc.Arbitrary<Partial<Ending>> = fc.record({
    status: fc.constantFrom(200, 400),
    firstByteMs: fc.nat(),
    endedAt: fc.maxSafeInteger(),
  })
  fc.assert(
    fc.property(text, text, fc.constantFrom<Api>('chat', 'embeddings'), endings, (model, reason, api, ending) => {
      const body = JSON.stringify({
        model,
        choices: [{ finish_reason: reason }],
        usage: { prompt_tokens: 2 ** 53 - 1, completion_tokens: 2 ** 53 - 1 },
      })
      const { settlement } = jsonRun(api, body, { ending })
      const json = JSON.stringify(settlement)
      assert.ok(Buffer.byteLength(json) < 3072, `${Buffer.byteLength(json)} bytes`)
      assert.ok(json.isWellFormed() && !json.includes('\\u0000') && !json.includes('\\ud'))
      assert.equal(settlement.model === undefined, model === '')
    }),
  )
})
