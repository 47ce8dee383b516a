import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonRun } from './replies.ts'
import { MESSAGES, leftMidway, stream, told, typed } from './typed-replies.ts'

const { start, delta, finish, stop } = MESSAGES
const INPUT = { input_tokens: 10, cache_read_input_tokens: 60, cache_creation_input_tokens: 30, output_tokens: 1 }

test('apisix-13662: a native stream of Messages counts its input as well as its output', () => {
  const outcome = stream('messages', [start(INPUT), delta('a'), delta('b'), finish({ output_tokens: 2 }), stop])
  assert.deepEqual(told(outcome), ['reported', 100, 60, 2])
  assert.deepEqual(outcome.settlement.meters, {
    input_tokens: 10,
    cached_input_tokens: 60,
    cache_write_5m_tokens: 30,
    output_tokens: 2,
    reasoning_tokens: 0,
  })
  assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'end_turn'])
})

test('the terminal event of a stream of Messages is held for after the settlement, and nothing else', () => {
  const events = [start(INPUT), typed({ type: 'ping' }), delta('a'), finish({ output_tokens: 1 })]
  const outcome = stream('messages', [...events, stop, ': bye\n\n'])
  assert.equal(outcome.now.toString(), events.join(''))
  assert.equal(outcome.later.toString(), `${stop}: bye\n\n`)
})

test('litellm-37558, litellm-35958: a stream of Messages left midway is metered, its input as reported and its output by what passed', () => {
  const outcome = stream('messages', [start(INPUT), delta('a'), delta('b'), delta('c')], leftMidway)
  assert.deepEqual(told(outcome), ['estimated', 100, 60, 3])
  assert.deepEqual([outcome.settlement.model, outcome.settlement.outcome], ['tiny', 'aborted'])
  assert.equal(outcome.settlement.meters['cache_write_5m_tokens'], 30)
  const running = stream('messages', [start(INPUT), delta('a'), finish({ output_tokens: 7 }, null)], leftMidway)
  assert.deepEqual(told(running), ['continuous', 100, 60, 7])
  const ended = stream('messages', [start(INPUT), delta('a'), finish({ output_tokens: 7 })], leftMidway)
  assert.deepEqual(told(ended), ['reported', 100, 60, 7], 'the last word had come')
})

test('a stream of Messages without any usage is estimated', () => {
  const quiet = typed({ type: 'message_start', message: { model: 'tiny' } })
  const events = [quiet, delta('a'), typed({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }), stop]
  assert.deepEqual(told(stream('messages', events)), ['estimated', 3, 0, 1])
  assert.deepEqual(told(stream('messages', [quiet], leftMidway)), ['unknown', null, null, null])
})

test('counts of a stream of Messages are cumulative: the last of each stands, none is added, and zeros wipe out no input', () => {
  const last = (usage: object): unknown[] => told(stream('messages', [start(INPUT), delta('a'), finish(usage), stop]))
  assert.deepEqual(last({ ...INPUT, output_tokens: 5 }), ['reported', 100, 60, 5])
  assert.deepEqual(last({ input_tokens: 11, output_tokens: 5 }), ['reported', 101, 60, 5])
  assert.deepEqual(last({ input_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 5 }), [
    'reported',
    100,
    60,
    5,
  ])
  assert.deepEqual(last({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 5 }), ['reported', 100, 60, 5])
  const late = [start({ input_tokens: 0, output_tokens: 0 }), delta('a'), finish({ input_tokens: 40, output_tokens: 5 }), stop]
  assert.deepEqual(told(stream('messages', late)), ['reported', 40, 0, 5], 'some engines know the input at the end only')
  const moved = [
    start({ input_tokens: 100, output_tokens: 0 }),
    finish({ input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 5 }),
    stop,
  ]
  assert.deepEqual(told(stream('messages', moved)), ['reported', 100, 90, 5])
})

test('litellm-37992: output that Messages reports as zero stays zero', () => {
  assert.deepEqual(told(stream('messages', [start(INPUT), delta('a'), finish({ output_tokens: 0 }), stop])), ['reported', 100, 60, 0])
})

test('thinking, tools and hidden thinking of Messages are delivered content; signatures, citations and results of tools are not', () => {
  const block = (content_block: object): string => typed({ type: 'content_block_start', index: 0, content_block })
  const piece = (one: object): string => typed({ type: 'content_block_delta', index: 0, delta: one })
  const content = [
    block({ type: 'tool_use', id: 't', name: 'f', input: {} }),
    block({ type: 'redacted_thinking', data: 'AAAA' }),
    piece({ type: 'thinking_delta', thinking: 'hm' }),
    piece({ type: 'input_json_delta', partial_json: '{"a"' }),
    piece({ type: 'text_delta', text: 'x' }),
  ]
  const none = [
    block({ type: 'text', text: '' }),
    block({ type: 'thinking', thinking: '', signature: 'c2ln' }),
    block({ type: 'web_search_tool_result', tool_use_id: 't', content: [{ type: 'web_search_result', title: 'x'.repeat(400) }] }),
    piece({ type: 'signature_delta', signature: 'c2lnbmF0dXJl' }),
    piece({ type: 'citations_delta', citation: { cited_text: 'x'.repeat(400) } }),
    typed({ type: 'ping' }),
  ]
  const begin = typed({ type: 'message_start', message: { model: 'tiny' } })
  assert.deepEqual(told(stream('messages', [begin, ...none, ...content], leftMidway)), ['estimated', 3, 0, content.length])
  assert.deepEqual(told(stream('messages', [begin, ...none], leftMidway)), ['unknown', null, null, null])
})

test('litellm-9812: what Messages wrote to a cache is charged once, by how long it stays', () => {
  const metersOf = (usage: object): unknown => jsonRun('messages', JSON.stringify({ content: [], usage })).settlement
  const whole = { input_tokens: 5, cache_read_input_tokens: 0, cache_creation_input_tokens: 100, output_tokens: 1 }
  const classes = (split: object | undefined): unknown[] => {
    const { meters, promptTokens, invalidUsage } = metersOf({ ...whole, ...(split && { cache_creation: split }) }) as {
      meters: Record<string, number>
      promptTokens: number
      invalidUsage?: true
    }
    return [promptTokens, meters['input_tokens'], meters['cache_write_5m_tokens'], meters['cache_write_1h_tokens'], invalidUsage]
  }
  assert.deepEqual(classes(undefined), [105, 5, 100, undefined, undefined])
  assert.deepEqual(classes({ ephemeral_5m_input_tokens: 60, ephemeral_1h_input_tokens: 40 }), [105, 5, 60, 40, undefined])
  assert.deepEqual(classes({ ephemeral_1h_input_tokens: 40 }), [105, 5, 60, 40, undefined], 'what the split does not cover')
  assert.deepEqual(classes({ ephemeral_1h_input_tokens: 400 }), [105, 5, undefined, 100, true], 'more than the whole')
  const split = metersOf({ input_tokens: 5, output_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 40 } })
  assert.equal((split as { promptTokens: number }).promptTokens, 45, 'the split alone says it too')
})

test('aider-5516: the prompt of Messages is what stands beside each other, that of Chat what stands inside', () => {
  const messages = jsonRun('messages', JSON.stringify({ usage: { input_tokens: 36, cache_read_input_tokens: 64, output_tokens: 1 } }))
  const chat = jsonRun(
    'chat',
    JSON.stringify({ usage: { prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 64 }, completion_tokens: 1 } }),
  )
  assert.deepEqual(messages.settlement.meters, chat.settlement.meters)
  assert.equal(messages.settlement.promptTokens, 100)
})

test('counts of Messages that cannot be give no credit: the other total stands, and the record says so', () => {
  for (const wrong of [-1, 1.5, '10', true, 1e300]) {
    for (const name of ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens']) {
      const { settlement } = jsonRun('messages', JSON.stringify({ content: [{ text: 'hello' }], usage: { ...INPUT, [name]: wrong } }))
      assert.deepEqual(
        [settlement.provenance, settlement.completionTokens, settlement.invalidUsage],
        ['estimated', 1, true],
        `${name}: ${wrong}`,
      )
      assert.ok(Object.values(settlement.meters).every((count) => count >= 0))
    }
    const { settlement } = jsonRun('messages', JSON.stringify({ content: [{ text: 'hello' }], usage: { ...INPUT, output_tokens: wrong } }))
    assert.deepEqual([settlement.provenance, settlement.promptTokens, settlement.invalidUsage], ['estimated', 100, true])
  }
  const odd = stream('messages', [typed({ type: 'message_start', message: { usage: 5 } }), delta('a'), stop])
  assert.deepEqual([odd.settlement.provenance, odd.settlement.invalidUsage], ['estimated', true])
})

test('numbers of Messages without a class are kept under their own names', () => {
  const usage = { ...INPUT, server_tool_use: { web_search_requests: 3, web_fetch_requests: 0 }, service_tier: 'standard', new_tokens: 8 }
  const { settlement } = jsonRun('messages', JSON.stringify({ content: [], usage }))
  assert.deepEqual(settlement.unclassified, { 'server_tool_use.web_search_requests': 3, new_tokens: 8 })
  assert.equal(settlement.promptTokens, 100)
})

test('a reply of Messages without usage is estimated by what was generated, arguments of tools included; an error is unknown', () => {
  const read = (content: object[]): unknown[] => told(jsonRun('messages', JSON.stringify({ type: 'message', model: 'tiny', content })))
  assert.deepEqual(read([{ type: 'text', text: 'hello you' }]), ['estimated', 1, 0, 3])
  assert.deepEqual(read([{ type: 'tool_use', id: 'x'.repeat(400), name: 'find', input: { place: 'Bratislava' } }]), ['estimated', 1, 0, 4])
  const signed = [{ type: 'thinking', thinking: 'hm, yes.', signature: 'x'.repeat(400) }]
  assert.deepEqual(read(signed), ['estimated', 1, 0, 2])
  assert.deepEqual(told(jsonRun('messages', '{"type":"error","error":{"type":"x","message":"no"}}')), ['unknown', null, null, null])
})
