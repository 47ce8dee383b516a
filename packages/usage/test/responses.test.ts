import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonRun } from './replies.ts'
import { RESPONSES, leftMidway, stream, told, typed } from './typed-replies.ts'

const { created, delta, running, end, usage } = RESPONSES

test('a stream of Responses is reported with the usage of its last event, which is held for after the settlement', () => {
  const outcome = stream('responses', [created, delta('a'), delta('b'), end(usage(9, 4, 2)), 'data: [DONE]\n\n'])
  assert.deepEqual(told(outcome), ['reported', 9, 4, 2])
  assert.equal(outcome.now.toString(), created + delta('a') + delta('b'))
  assert.equal(outcome.later.toString(), end(usage(9, 4, 2)) + 'data: [DONE]\n\n')
  assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'completed'])
})

test('incomplete, failed and cancelled responses end a stream as completed ones do, and are charged what they report', () => {
  for (const status of ['incomplete', 'failed', 'cancelled']) {
    const last = typed({
      type: `response.${status}`,
      response: {
        model: 'tiny',
        status,
        usage: usage(9, 0, 2),
        incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
      },
    })
    const outcome = stream('responses', [created, delta('a'), last])
    assert.deepEqual(told(outcome), ['reported', 9, 0, 2])
    assert.equal(outcome.later.toString(), last)
    assert.equal(outcome.settlement.finishReason, status === 'incomplete' ? 'max_output_tokens' : status)
  }
})

test('a stream of Responses left midway is never zero, whatever its pieces are called', () => {
  const pieces = [
    'response.output_text.delta',
    'response.refusal.delta',
    'response.function_call_arguments.delta',
    'response.reasoning_text.delta',
    'response.reasoning_summary_text.delta',
    'response.custom_tool_call_input.delta',
    'response.code_interpreter_call_code.delta',
    'response.mcp_call_arguments.delta',
    'response.something_new.delta',
  ].map((type) => typed({ type, delta: 'abc' }))
  assert.deepEqual(told(stream('responses', [created, ...pieces], leftMidway)), ['estimated', 3, 0, pieces.length])
  const name = typed({ type: 'response.output_item.added', item: { type: 'function_call', name: 'f', arguments: '' } })
  assert.deepEqual(told(stream('responses', [created, name], leftMidway)), ['estimated', 3, 0, 1])
  assert.deepEqual(told(stream('responses', [created], leftMidway)), ['unknown', null, null, null], 'nothing was delivered')
})

test('what repeats the pieces of Responses as a whole counts once, and counts where no pieces came', () => {
  const whole = typed({ type: 'response.output_text.done', text: 'abcdefghijklmnopqrstuvwxyz abcdefghijklmnop' })
  const item = typed({ type: 'response.output_item.done', item: { content: [{ text: 'abcdefghijklmnopqrstuvwxyz abcdefghijklmnop' }] } })
  assert.deepEqual(told(stream('responses', [created, delta('a'), whole, item], leftMidway)), ['estimated', 3, 0, 1])
  assert.deepEqual(told(stream('responses', [created, whole, item], leftMidway)), ['estimated', 3, 0, 11])
})

test('bifrost-4842: usage of intermediate events of Responses survives a cancel, cache classes included', () => {
  const before = stream('responses', [created, delta('a'), delta('b'), running(usage(1000, 900, 2))], leftMidway)
  assert.deepEqual(told(before), ['continuous', 1000, 900, 2])
  assert.equal(before.settlement.meters['cached_input_tokens'], 900)
  const after = stream('responses', [created, running(usage(1000, 900, 1)), delta('a'), delta('b'), delta('c')], leftMidway)
  assert.deepEqual(told(after), ['estimated', 1000, 900, 3], 'what passed after the last count is added to it')
  assert.equal(after.settlement.meters['cached_input_tokens'], 900)
})

test('a last event of Responses without usage leaves an estimate, not a zero', () => {
  assert.deepEqual(told(stream('responses', [created, delta('a'), end(null)])), ['estimated', 3, 0, 1])
  assert.deepEqual(told(stream('responses', [created, delta('a'), end({})])), ['estimated', 3, 0, 1])
})

test('every class of tokens of Responses leaves the plain one once, and numbers without a class are kept', () => {
  const { settlement } = jsonRun(
    'responses',
    JSON.stringify({
      model: 'tiny',
      status: 'completed',
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'hello' }] }],
      usage: {
        input_tokens: 1000,
        input_tokens_details: { cached_tokens: 600, cache_write_tokens: 100, audio_tokens: 50, image_tokens: 40, text_tokens: 910 },
        output_tokens: 500,
        output_tokens_details: { reasoning_tokens: 300, audio_tokens: 20, image_tokens: 30, speculated_tokens: 7 },
        total_tokens: 1500,
        tool_calls: 2,
        cost: { search: 3, none: 0 },
      },
    }),
  )
  assert.deepEqual(settlement.meters, {
    input_tokens: 210,
    cached_input_tokens: 600,
    cache_write_5m_tokens: 100,
    input_audio_tokens: 50,
    input_image_tokens: 40,
    output_tokens: 150,
    reasoning_tokens: 300,
    output_audio_tokens: 20,
    output_image_tokens: 30,
  })
  assert.deepEqual(settlement.unclassified, { 'output_tokens_details.speculated_tokens': 7, tool_calls: 2, 'cost.search': 3 })
  assert.equal(settlement.invalidUsage, undefined)
})

test('tokens of audio and images that come from the cache count once, and contradict nothing', () => {
  const counts = { input_tokens: 100, input_tokens_details: { cached_tokens: 90, audio_tokens: 60, image_tokens: 30 }, output_tokens: 1 }
  const { settlement } = jsonRun('responses', JSON.stringify({ usage: counts }))
  assert.deepEqual(settlement.meters, {
    input_tokens: 0,
    cached_input_tokens: 90,
    input_audio_tokens: 10,
    output_tokens: 1,
    reasoning_tokens: 0,
  })
  assert.equal(settlement.invalidUsage, undefined)
})

test('a reply of Responses in one piece is read where its members stand, and nowhere deeper', () => {
  const forged = { usage: { input_tokens: 1, output_tokens: 0 }, model: 'free', status: 'forged', incomplete_details: { reason: 'forged' } }
  const body = {
    output: [{ type: 'message', ...forged, content: [{ type: 'output_text', text: JSON.stringify(forged), ...forged }] }],
    metadata: forged,
    incomplete_details: { reason: 'content_filter', deeper: { reason: 'forged' } },
    text: { reason: 'forged' },
    status: 'incomplete',
    model: 'tiny',
    usage: usage(9, 0, 4),
  }
  for (const text of [JSON.stringify(body), JSON.stringify(body, undefined, 2)]) {
    const outcome = jsonRun('responses', text)
    assert.deepEqual(told(outcome), ['reported', 9, 0, 4])
    assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'content_filter'])
  }
})

test('a reply of Responses without usage is estimated by what was generated, and an error is unknown', () => {
  const text = (output: object[]): string => JSON.stringify({ model: 'tiny', instructions: 'x'.repeat(4000), error: null, output })
  const message = { type: 'message', id: 'x'.repeat(400), content: [{ type: 'output_text', text: 'hello you' }] }
  assert.deepEqual(told(jsonRun('responses', text([message]))), ['estimated', 1, 0, 3])
  const call = { type: 'function_call', name: 'f', arguments: '{"a":1}' }
  assert.deepEqual(told(jsonRun('responses', text([call]))), ['estimated', 1, 0, 3])
  assert.deepEqual(told(jsonRun('responses', '{"error":{"message":"no"},"output":[]}')), ['unknown', null, null, null])
})
