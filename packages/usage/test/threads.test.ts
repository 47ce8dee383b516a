import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '@ascribe/usage'
import { ENDING, factsOf, jsonRun, run } from './replies.ts'
import type { Outcome, Run } from './replies.ts'

// Each test is named after the thread in which users of another gateway complained, or after a defect of the reference proxy.

const delta = (content: string): string => `data: {"model":"m","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
const FINISH = 'data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}\n\n'
const DONE = 'data: [DONE]\n\n'
const REPORTED = ['reported', 9, 4]

const stream = (events: readonly string[], more: Partial<Run> = {}): Outcome => run({ api: 'chat', chunks: events, ...more })
const aborted: Partial<Run> = { broken: true, ending: { outcome: 'aborted' } }
const told = ({ settlement: { provenance, promptTokens, completionTokens } }: Outcome): unknown[] => [
  provenance,
  promptTokens,
  completionTokens,
]
const usageOf = (usage: unknown, api: Run['api'] = 'chat'): Outcome => jsonRun(api, JSON.stringify({ model: 'm', choices: [], usage }))

test('litellm-33736: settle() meters a stream left midway', () => {
  assert.deepEqual(told(stream([delta('a'), delta('b')], aborted)), ['estimated', 3, 2])
})

test('litellm-36008, tensorzero-3751: a stream that is drained after its client left is reported in full', () => {
  const outcome = stream([delta('a'), FINISH, USAGE, DONE], { ending: { outcome: 'aborted' } })
  assert.deepEqual([...told(outcome), outcome.settlement.outcome], [...REPORTED, 'aborted'])
})

test('litellm-13245: a JSON reply whose client left is recorded in full', () => {
  const body = '{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":4}}'
  assert.deepEqual(told(jsonRun('chat', body, { ending: { outcome: 'aborted' } })), REPORTED)
})

test('litellm-37992: usage explicitly reported as zero stays zero', () => {
  const zero = USAGE.replace(
    '"prompt_tokens":9,"completion_tokens":4,"total_tokens":13',
    '"prompt_tokens":0,"completion_tokens":0,"total_tokens":0',
  )
  assert.deepEqual(told(stream([delta('a'), FINISH, zero, DONE])), ['reported', 0, 0])
  assert.deepEqual(told(usageOf({ prompt_tokens: 0, completion_tokens: 0 })), ['reported', 0, 0])
})

test('litellm-37734: a stream cut short names the model that was served', () => {
  assert.equal(
    stream([delta('a').replace('"m"', '"served"')], { ...aborted, request: '{"model":"asked","stream":true}' }).settlement.model,
    'served',
  )
})

test('bifrost-3709: a cancelled stream of 806 deltas is not one token', () => {
  assert.deepEqual(
    told(
      stream(
        Array.from({ length: 806 }, () => delta('a')),
        aborted,
      ),
    ),
    ['estimated', 3, 806],
  )
})

test('bifrost-4575: failed and timed-out requests carry the usage that the provider charges', () => {
  const reset = stream([delta('a'), FINISH, USAGE], { broken: true, ending: { outcome: 'upstream_reset' } })
  assert.deepEqual([...told(reset), reset.settlement.outcome], [...REPORTED, 'upstream_reset'])
})

test('new-api-5235, open-ace-3422: leaving between finish_reason and usage is not free', () => {
  const [provenance, prompt, completion] = told(stream([delta('a'), delta('b'), FINISH], aborted))
  assert.deepEqual([provenance, prompt, completion], ['estimated', 3, 2])
})

test('new-api-5288: partial text is never billed as if it were reported', () => {
  assert.notEqual(stream([delta('a')], aborted).settlement.provenance, 'reported')
})

test('LLMKube-1852: a stream without usage is never metered as zero', () => {
  assert.deepEqual(told(stream([delta('a'), delta('b'), FINISH, DONE])), ['estimated', 3, 2])
})

test('ai-gateway-281, bifrost-520: usage is captured in a chunk of its own, in the last chunk with choices, and in each chunk', () => {
  const inFinish = FINISH.replace('}]}\n', '}],"usage":{"prompt_tokens":9,"completion_tokens":4}}\n')
  const inEach = delta('a').replace('}]}\n', '}],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n')
  assert.deepEqual(told(stream([delta('a'), FINISH, USAGE, DONE])), REPORTED)
  assert.deepEqual(told(stream([delta('a'), inFinish, DONE])), REPORTED)
  assert.deepEqual(told(stream([inEach, inEach, inFinish, DONE])), REPORTED)
})

test('gpustack-4874: usage is forced when the client omits the option, and the client does not see the answer', () => {
  const outcome = stream([delta('a'), FINISH, USAGE, DONE], { request: '{"stream":true}' })
  assert.deepEqual(told(outcome), REPORTED)
  assert.equal(outcome.now.includes('usage'), false)
})

test('helm-api-6: what is not known is null, not zero', () => {
  assert.deepEqual(told(stream([])), ['unknown', null, null])
  assert.deepEqual(stream([]).settlement.meters, {})
})

test('helix-3005: of cumulative usage snapshots the last is kept, never the sum', () => {
  const snapshot = (count: number): string => delta('a').replace('}]}\n', `}],"usage":{"prompt_tokens":9,"completion_tokens":${count}}}\n`)
  assert.deepEqual(told(stream([snapshot(1), snapshot(2), snapshot(3), FINISH, USAGE, DONE])), REPORTED)
  assert.deepEqual(told(stream([snapshot(1), snapshot(2)], aborted)), ['continuous', 9, 2])
})

test('litellm-14849, litellm-31714, bifrost-3451, langwatch-7018: cached tokens leave the plain class and are charged once', () => {
  const { settlement } = usageOf({ prompt_tokens: 1000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 900 } })
  assert.deepEqual(settlement.meters, { input_tokens: 100, cached_input_tokens: 900, output_tokens: 10, reasoning_tokens: 0 })
})

test('litellm-9812: tokens that were written to the cache are charged once', () => {
  const inside = usageOf({
    prompt_tokens: 1000,
    completion_tokens: 10,
    cache_creation_input_tokens: 700,
    prompt_tokens_details: { cache_write_tokens: 700 },
  })
  assert.deepEqual(inside.settlement.meters, {
    input_tokens: 300,
    cached_input_tokens: 0,
    cache_write_5m_tokens: 700,
    output_tokens: 10,
    reasoning_tokens: 0,
  })
  const unclear = usageOf({ prompt_tokens: 1000, completion_tokens: 10, cache_creation_input_tokens: 700 })
  assert.equal(unclear.settlement.meters['input_tokens'], 1000, 'nobody says that it is inside the prompt')
  assert.deepEqual(unclear.settlement.unclassified, { cache_creation_input_tokens: 700 })
})

test('litellm-28009: both styles of naming cached tokens reach the totals', () => {
  const openai = usageOf({ prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 64 } })
  const deepseek = usageOf({ prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 })
  assert.deepEqual(openai.settlement.meters, deepseek.settlement.meters)
})

test('aider-5516: cached tokens are inside the prompt of these formats, and the total says so', () => {
  const { settlement } = usageOf({ prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 64 } })
  assert.equal(settlement.promptTokens, 100)
  assert.equal((settlement.meters['input_tokens'] ?? 0) + (settlement.meters['cached_input_tokens'] ?? 0), 100)
})

test('agentgateway-3228: output counts in full when reasoning tokens are present', () => {
  const inside = usageOf({ prompt_tokens: 9, completion_tokens: 1000, completion_tokens_details: { reasoning_tokens: 950 } })
  assert.deepEqual([inside.settlement.meters['output_tokens'], inside.settlement.meters['reasoning_tokens']], [50, 950])
  const beside = usageOf({
    prompt_tokens: 9,
    completion_tokens: 50,
    total_tokens: 1009,
    completion_tokens_details: { reasoning_tokens: 950 },
  })
  assert.deepEqual([beside.settlement.meters['output_tokens'], beside.settlement.meters['reasoning_tokens']], [50, 950])
})

test('litellm-38457: audio has classes of its own', () => {
  const { settlement } = usageOf({
    prompt_tokens: 100,
    completion_tokens: 80,
    prompt_tokens_details: { audio_tokens: 60 },
    completion_tokens_details: { audio_tokens: 70 },
  })
  assert.deepEqual(settlement.meters, {
    input_tokens: 40,
    cached_input_tokens: 0,
    input_audio_tokens: 60,
    output_tokens: 10,
    reasoning_tokens: 0,
    output_audio_tokens: 70,
  })
})

test('litellm-39850: reasoning inside text tokens is billed once', () => {
  const { settlement } = usageOf({
    prompt_tokens: 1,
    completion_tokens: 100,
    completion_tokens_details: { text_tokens: 100, reasoning_tokens: 40 },
  })
  assert.deepEqual([settlement.meters['output_tokens'], settlement.meters['reasoning_tokens']], [60, 40])
})

test('litellm-36646: embeddings leave a record', () => {
  assert.deepEqual(told(usageOf({ prompt_tokens: 11, total_tokens: 11 }, 'embeddings')), ['reported', 11, 0])
})

test('defect 2: settle() never records zero after content was delivered, neither in a stream nor in a JSON body', () => {
  for (const events of [[delta('a')], [delta('a'), FINISH], [delta('a'), 'data: {"choices":[],"usa']]) {
    assert.ok(Number(stream(events, aborted).settlement.completionTokens) > 0)
  }
  assert.ok(Number(jsonRun('chat', '{"choices":[{"message":{"content":"abc', aborted).settlement.completionTokens) > 0)
})

test('defect 9: SSE is read with no space after data:, a bare CR, an unterminated last line, a content type in mixed case', () => {
  const forms: Partial<Run>[] = [
    { chunks: [delta('a'), USAGE].map((event) => event.replace('data: ', 'data:')) },
    { chunks: [delta('a'), USAGE].map((event) => event.replaceAll('\n', '\r')) },
    { chunks: [delta('a'), USAGE.trimEnd()] },
    { chunks: [delta('a'), USAGE.trimEnd()], ...aborted },
    { chunks: [delta('a'), USAGE], contentType: 'Text/Event-Stream; Charset=utf-8' },
  ]
  for (const form of forms) assert.deepEqual(told(stream([], form)).slice(1), [9, 4], JSON.stringify(form))
})

test('defect 9: a fractional count or a finish reason that is no string leaves a record', () => {
  const fractional = usageOf({ prompt_tokens: 9, completion_tokens: 4.5 })
  const [provenance, prompt, completion] = told(fractional)
  assert.deepEqual([provenance, prompt, fractional.settlement.invalidUsage], ['estimated', 9, true], 'the count that is one stands')
  assert.ok(Number.isInteger(completion) && Number(completion) > 0)
  assert.deepEqual(told(usageOf({ prompt_tokens: 9.0, completion_tokens: 4.0 })), REPORTED)
  const odd = stream([delta('a'), FINISH.replace('"stop"', '{"x":1}'), USAGE, DONE])
  assert.deepEqual([...told(odd), odd.settlement.finishReason], [...REPORTED, undefined])
})

test('defect 9: an upstream reset leaves what passed on the record', () => {
  assert.deepEqual(told(stream([delta('a'), delta('b')], { broken: true, ending: { outcome: 'upstream_reset' } })), ['estimated', 3, 2])
})

test('defect 9: a decoded copy of a compressed reply is read without being forwarded', () => {
  const outcome = stream([delta('a'), FINISH, USAGE, DONE], { injected: false })
  assert.deepEqual(told(outcome), REPORTED)
  assert.deepEqual(settle(outcome.reader.observation, ENDING).meters, outcome.settlement.meters)
})

test('defect 10: stream as 1 or "true" is given the wish for usage', () => {
  for (const value of ['1', '"true"']) assert.equal(factsOf(`{"stream":${value}}`, 'chat').streams, true)
})

test('defect 12: a negative count gives no credit', () => {
  const { settlement } = usageOf({ prompt_tokens: -1000, completion_tokens: 4 })
  assert.deepEqual([settlement.provenance, settlement.completionTokens, settlement.invalidUsage], ['estimated', 4, true])
  assert.ok(Object.values(settlement.meters).every((quantity) => quantity >= 0))
  const cached = usageOf({ prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: -1000 } }).settlement
  assert.deepEqual([cached.meters['input_tokens'], cached.cachedTokens, cached.invalidUsage], [10, null, true])
})

test('defect 13: a model name that is over-long or holds a NUL is kept, made fit for a database', () => {
  const named = (model: string): string | undefined =>
    jsonRun('chat', JSON.stringify({ model, usage: { prompt_tokens: 1, completion_tokens: 1 } })).settlement.model
  assert.equal(named('a\u0000b'), 'a\uFFFDb')
  assert.equal(named('m'.repeat(40_000))?.length, 512)
})

test('one block for several choices of a JSON reply is not believed where the text is far more than it counts', () => {
  const choices = (text: string): object[] => [0, 1, 2].map((index) => ({ index, message: { content: text }, finish_reason: 'stop' }))
  const told3 = (completion: number, text: string): readonly unknown[] => {
    const body = JSON.stringify({ model: 'm', choices: choices(text), usage: { prompt_tokens: 9, completion_tokens: completion } })
    const { settlement } = jsonRun('chat', body, { request: '{"n":3}' })
    return [settlement.provenance, settlement.completionTokens]
  }
  // 3 x 880 bytes: 50 tokens are one choice's, taken three times; 600 fit the text and are left alone.
  assert.deepEqual(told3(50, 'x'.repeat(880)), ['estimated', 150])
  assert.deepEqual(told3(600, 'x'.repeat(880)), ['estimated', 600])
})

test('an estimate never bills more output than the request allowed, as far as what passed lets it', () => {
  const body = JSON.stringify({ model: 'm', choices: [{ index: 0, message: { content: 'x'.repeat(40) }, finish_reason: 'length' }] })
  const { settlement } = jsonRun('chat', body, { request: '{"max_tokens":5}' })
  assert.deepEqual([settlement.provenance, settlement.completionTokens], ['estimated', 5])
})

test('a request never says what it is billed: delivered content counts, whatever limit was asked for', () => {
  const piece = 'data: {"model":"m","choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
  const chunks = [...Array.from({ length: 500 }, () => piece), 'data: [DONE]\n\n']
  // llama-cpp-python takes 0 for no limit, reads no max_completion_tokens and reports nothing; llama-server goes by n_predict.
  for (const limit of ['"max_tokens":0', '"max_completion_tokens":1', '"max_tokens":1,"n_predict":-1']) {
    const { settlement } = run({ api: 'chat', request: `{"model":"m","stream":true,${limit}}`, chunks })
    assert.deepEqual([settlement.provenance, settlement.completionTokens], ['estimated', 500], limit)
  }
  const body = JSON.stringify({ model: 'm', choices: [{ index: 0, message: { content: 'word'.repeat(500) } }] })
  assert.equal(jsonRun('chat', body, { request: '{"max_tokens":0}' }).settlement.completionTokens, 250)
})

test('a limit that no choice can have come to never becomes a quantity', () => {
  const choices = [0, 1].map((index) => ({ index, message: { content: 'hello there' }, finish_reason: 'length' }))
  const body = JSON.stringify({ model: 'm', choices, usage: { prompt_tokens: 5, completion_tokens: 8 } })
  const { settlement } = jsonRun('chat', body, { request: '{"n":2,"max_tokens":100000000}' })
  assert.deepEqual([settlement.provenance, settlement.completionTokens], ['estimated', 8])
})
