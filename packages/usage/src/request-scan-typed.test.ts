import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanRequest } from './request-scan.ts'
import type { RequestFacts, RequestScan } from './request-scan.ts'
import { spliceIncludeUsage } from './request-splice.ts'

// Requests for Responses and Messages.

type TypedApi = 'responses' | 'messages'

const scan = (text: string, api: TypedApi): RequestScan => scanRequest(Buffer.from(text), api)

function factsOf(text: string, api: TypedApi): RequestFacts {
  const facts = scan(text, api)
  if (facts.kind === 'invalid') return assert.fail(facts.message)
  return facts
}

const refusedBy = (text: string, api: TypedApi): string | undefined => {
  const facts = scan(text, api)
  return facts.kind === 'invalid' ? facts.param : undefined
}

test('scanRequest() takes the limit by the name that the API has for it, and the larger one of all that engines read', () => {
  assert.equal(factsOf('{"max_output_tokens":5}', 'responses').maxTokens, 5)
  assert.equal(factsOf('{"max_output_tokens":5,"max_tokens":9}', 'responses').maxTokens, 9)
  assert.equal(factsOf('{"max_tokens":5}', 'messages').maxTokens, 5)
  assert.equal(factsOf('{"max_output_tokens":5}', 'messages').maxTokens, undefined, 'not a member of this API')
  const open: [string, TypedApi, string][] = [
    ['{"max_output_tokens":0}', 'responses', 'max_output_tokens'],
    ['{"max_output_tokens":"5"}', 'responses', 'max_output_tokens'],
    ['{"Max_Output_Tokens":5}', 'responses', 'max_output_tokens'],
    ['{"max_output_tokens":5,"n_predict":-1}', 'responses', 'n_predict'],
    ['{"max_tokens":-1}', 'messages', 'max_tokens'],
    ['{"max_tokens":5,"n_cmpl":1}', 'messages', 'n_cmpl'],
  ]
  for (const [text, api, member] of open) assert.equal(factsOf(text, api).unboundedBy, member, text)
})

test('scanRequest() counts the bytes of all text that goes in, and neither ids nor images', () => {
  assert.equal(factsOf('{"input":"hello","instructions":"abc"}', 'responses').promptBytes, 8)
  const items =
    '[{"role":"user","content":[{"type":"input_text","text":"abc"},{"type":"input_image","image_url":"data:xx"}]},{"type":"function_call_output","call_id":"c1","output":"de"}]'
  assert.equal(factsOf(`{"input":${items}}`, 'responses').promptBytes, 5)
  const blocks =
    '[{"role":"user","content":[{"type":"text","text":"abc"},{"type":"image","source":{"data":"AAAA"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"de","signature":"xx"}]}]'
  assert.equal(factsOf(`{"system":"sys","messages":${blocks}}`, 'messages').promptBytes, 8)
  assert.equal(factsOf('{"system":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}]}', 'messages').promptBytes, 3)
  assert.equal(factsOf('{"input":["a","b"]}', 'responses').prompts, 1)
})

test('scanRequest() refuses what is generated in the background, however it is spelled', () => {
  for (const text of ['{"background":true}', '{"background":1}', '{"background":"true"}', '{"Background":true}', '{"b\\u0061ckground":{}}'])
    assert.equal(refusedBy(text, 'responses'), 'background', text)
  for (const text of ['{"background":false}', '{"background":null}', '{"a":{"background":true}}', '{}'])
    assert.equal(refusedBy(text, 'responses'), undefined, text)
})

test('scanRequest() says by what a response is kept or refers to a kept one, and that the latter has no bound', () => {
  const stored: [string, string, string | undefined][] = [
    ['{"store":true}', 'store', undefined],
    ['{"STORE":1}', 'store', undefined],
    ['{"previous_response_id":"r"}', 'previous_response_id', 'previous_response_id'],
    ['{"Previous_Response_Id":"r"}', 'previous_response_id', 'previous_response_id'],
    ['{"conversation":{"id":"c"}}', 'conversation', 'conversation'],
    ['{"prompt":{"id":"p"}}', 'prompt', 'prompt'],
  ]
  for (const [text, storedBy, unboundedBy] of stored) {
    const facts = factsOf(text, 'responses')
    assert.deepEqual([facts.storedBy, facts.unboundedBy], [storedBy, unboundedBy], text)
  }
  for (const text of ['{"store":false,"previous_response_id":null,"conversation":null}', '{}'])
    assert.equal(factsOf(text, 'responses').storedBy, undefined)
  assert.equal(factsOf('{"store":true}', 'messages').storedBy, undefined)
})

test('scanRequest() refuses several choices, which these APIs have not, and members that count twice', () => {
  for (const api of ['responses', 'messages'] as const) {
    assert.equal(refusedBy('{"n":2}', api), 'n')
    assert.equal(factsOf('{"n":1}', api).choices, 1)
    assert.equal(refusedBy('{"max_tokens":1,"max_tokens":2}', api), 'max_tokens')
  }
  assert.equal(refusedBy('{"input":"a","Input":"b"}', 'responses'), 'input')
  assert.equal(refusedBy('{"max_output_tokens":1,"max_output_to\u212Aens":2}', 'responses'), 'max_output_tokens')
  assert.equal(refusedBy('{"store":false,"store":true}', 'responses'), 'store')
  assert.equal(refusedBy('{"system":"a","system":"b"}', 'messages'), 'system')
})

test('spliceIncludeUsage() changes nothing of what these APIs are sent', () => {
  for (const api of ['responses', 'messages'] as const) {
    for (const text of ['{"stream":true}', '{"stream":1}', '{"stream":true,"stream_options":{"include_obfuscation":false}}']) {
      const body = Buffer.from(text)
      assert.deepEqual(spliceIncludeUsage(body, factsOf(text, api)), { parts: [body], injected: false })
    }
  }
})
