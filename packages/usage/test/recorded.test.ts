import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api } from '@ascribe/usage'
import { factsOf, readRecorded, recordedNames, run } from './replies.ts'
import type { Recorded, Run } from './replies.ts'

/** Provenance, prompt, cached and completion tokens, finish reason. The numbers are the engines' own; see each file. */
const EXPECTED: Readonly<Record<string, readonly [string, number | null, number | null, number | null, string?]>> = {
  'llama-chat': ['reported', 26, 0, 6, 'length'],
  // Says 6 for two choices of 6 each; all ended at the limit, so the limit tells.
  'llama-chat-n2': ['estimated', 26, 25, 12, 'length'],
  // Two usage events, one for each choice, each with the whole prompt.
  'llama-chat-n2-stream-usage': ['reported', 26, 25, 12, 'length'],
  'llama-chat-schema': ['reported', 26, 25, 25, 'stop'],
  'llama-chat-stream': ['estimated', 3, 0, 6, 'length'],
  'llama-chat-stream-usage': ['reported', 26, 25, 6, 'length'],
  'llama-disconnect': ['estimated', 1, 0, 3],
  'llama-embeddings': ['reported', 11, 0, 0],
  'llama-error-context': ['unknown', null, null, null],
  'llama-error-context-stream': ['unknown', null, null, null],
  // Cached tokens stand beside the input here, and are part of the prompt all the same.
  'llama-messages': ['reported', 26, 25, 6, 'max_tokens'],
  'llama-messages-stream': ['reported', 26, 25, 3, 'max_tokens'],
  'llama-responses': ['reported', 26, 25, 6, 'completed'],
  'llama-responses-stream': ['reported', 26, 25, 3, 'completed'],
  'llama-text': ['reported', 6, 5, 6, 'length'],
  'llama-text-list': ['estimated', 5, 1, 6, 'length'],
  'llama-text-stream': ['reported', 6, 5, 6, 'length'],
  'llama-text-stream-usage': ['reported', 6, 5, 6, 'length'],
  'python-chat': ['reported', 25, 0, 6, 'length'],
  // Gives one choice, whatever is asked: one block for one choice.
  'python-chat-n2': ['reported', 25, 0, 6, 'length'],
  'python-chat-n2-stream-usage': ['estimated', 3, 0, 6, 'length'],
  'python-chat-stream': ['estimated', 3, 0, 6, 'length'],
  'python-chat-stream-usage': ['estimated', 3, 0, 6, 'length'],
  'python-disconnect': ['estimated', 1, 0, 2],
  'python-embeddings': ['reported', 11, 0, 0],
  'python-error-context': ['unknown', null, null, null],
  // A status of 200 and no body at all.
  'python-error-context-stream': ['unknown', null, null, null],
  'python-text': ['reported', 6, 0, 6, 'length'],
  'python-text-list': ['unknown', null, null, null],
  'python-text-stream': ['estimated', 4, 0, 6, 'length'],
  'python-text-stream-usage': ['estimated', 4, 0, 6, 'length'],
}

const TERMINAL: Partial<Record<Api, RegExp>> = {
  responses: /^event: response\.completed\ndata: .*\n\n$/,
  messages: /^event: message_stop\ndata: {"type":"message_stop"}\n\n$/,
}

function runOf(recorded: Recorded, chunks: readonly Buffer[], injected: boolean): Run {
  return {
    api: recorded.api,
    request: recorded.request,
    contentType: recorded.contentType ?? '',
    chunks,
    injected,
    broken: recorded.name.endsWith('disconnect'),
    ending: { status: recorded.status },
  }
}

test('every recorded reply is in the table', () => {
  assert.deepEqual(recordedNames(), Object.keys(EXPECTED).toSorted())
})

for (const [name, [provenance, promptTokens, cachedTokens, completionTokens, finishReason]] of Object.entries(EXPECTED)) {
  test(`settle() reads ${name} the same wherever it is cut in two`, () => {
    const recorded = readRecorded(name)
    const { body } = recorded
    const injected = recorded.name.includes('usage')
    const whole = run(runOf(recorded, [body], injected))
    const { settlement } = whole
    assert.deepEqual(
      {
        provenance: settlement.provenance,
        promptTokens: settlement.promptTokens,
        cachedTokens: settlement.cachedTokens,
        completionTokens: settlement.completionTokens,
      },
      { provenance, promptTokens, cachedTokens, completionTokens },
    )
    assert.equal(settlement.finishReason, finishReason)
    assert.equal(settlement.outcome, recorded.status < 400 ? 'completed' : 'upstream_error')
    assert.equal(settlement.model, recorded.status < 400 && body.length > 0 ? 'tiny' : undefined)
    const total = Object.values(settlement.meters).reduce((sum, quantity) => sum + quantity, 0)
    assert.equal(total, (promptTokens ?? 0) + (completionTokens ?? 0))
    // Long rows of numbers are all alike: there every 13th place will do.
    const step = body.length > 8000 ? 13 : 1
    for (let at = 1; at < body.length; at += step) {
      const cut = run(runOf(recorded, [body.subarray(0, at), body.subarray(at)], injected))
      assert.deepEqual(cut.settlement, settlement, `cut at ${at}`)
      assert.ok(cut.now.equals(whole.now) || !recorded.contentType?.includes('event-stream'), `cut at ${at}`)
      if (!settlement.provenance.startsWith('unknown') && !runOf(recorded, [], injected).broken)
        assert.ok(Buffer.concat([cut.now, cut.later]).equals(Buffer.concat([whole.now, whole.later])))
    }
  })
}

test('a recorded stream passes byte for byte, but for the usage events where they were injected', () => {
  for (const name of recordedNames().filter((one) => one.includes('stream'))) {
    const recorded = readRecorded(name)
    const chunks = [...recorded.body].map((byte) => Buffer.from([byte]))
    const passed = run(runOf(recorded, chunks, false))
    assert.equal(passed.now.toString() + passed.later.toString(), recorded.body.toString(), name)
    const hidden = run(runOf(recorded, chunks, true))
    const expected = recorded.body.toString().replaceAll(/data: \{"choices":\[\],.*\n\n/g, '')
    assert.equal(hidden.now.toString() + hidden.later.toString(), expected, name)
    const isEmpty = recorded.body.length === 0 || recorded.status >= 400
    if (!isEmpty) assert.match(passed.later.toString(), TERMINAL[recorded.api] ?? /^data: \[DONE\]\n\n$/, name)
  }
})

test('scanRequest() reads every recorded request', () => {
  for (const name of recordedNames()) {
    const { request, api } = readRecorded(name)
    const parsed = JSON.parse(request.toString())
    const facts = factsOf(request, api)
    assert.equal(facts.model, parsed.model)
    assert.equal(facts.choices, parsed.n ?? 1)
    assert.equal(facts.streams, parsed.stream === true)
    assert.equal(facts.maxTokens, parsed.max_tokens ?? parsed.max_output_tokens)
  }
})
