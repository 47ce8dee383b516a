import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOf } from './endpoints.ts'

for (const [target, api] of [
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
  ['/v1/responses', 'responses'],
  ['/v1/messages', 'messages'],
] as const) {
  test(`endpointOf() takes POST ${target} for ${api}, and only POST`, () => {
    assert.deepEqual(endpointOf('POST', target), { kind: 'billable', api, path: target.slice(3), query: '' })
    assert.deepEqual(endpointOf('POST', `${target}?a=1?b`), { kind: 'billable', api, path: target.slice(3), query: '?a=1?b' })
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'post']) {
      assert.deepEqual(endpointOf(method, target), { kind: 'wrong_method', allow: 'POST' })
    }
  })
}

test('endpointOf() knows the list of models and each of them, for GET alone', () => {
  assert.deepEqual(endpointOf('GET', '/v1/models'), { kind: 'models' })
  assert.deepEqual(endpointOf('GET', '/v1/models?x=1'), { kind: 'models' })
  assert.deepEqual(endpointOf('GET', '/v1/models/meta%2FLlama%203'), { kind: 'model', id: 'meta/Llama 3' })
  assert.deepEqual(endpointOf('GET', '/v1/models/org/name'), { kind: 'model', id: 'org/name' })
  assert.deepEqual(endpointOf('GET', '/v1/models/%zz'), { kind: 'model', id: '%zz' })
  assert.deepEqual(endpointOf('DELETE', '/v1/models/x'), { kind: 'wrong_method', allow: 'GET' })
})

for (const target of [
  '',
  '*',
  '/',
  '/v1',
  '/v1/responses/resp_1',
  '/v1/chat/completions/',
  '//v1/chat/completions',
  '/v1/./chat/completions',
  '/v1/x/../chat/completions',
  '/v1/chat%2Fcompletions',
  '/V1/chat/completions',
  '/v1/chat/completions#x',

  '/v1/models/',
]) {
  test(`endpointOf() has no rule for ${JSON.stringify(target)}, so it is refused`, () => {
    assert.deepEqual(endpointOf('POST', target), { kind: 'unknown' })
  })
}

test('endpointOf() takes a target in absolute form for what it names', () => {
  assert.deepEqual(endpointOf('POST', 'http://gateway.example/v1/embeddings?x=1'), endpointOf('POST', '/v1/embeddings?x=1'))
  assert.equal(endpointOf('POST', 'ftp://gateway.example/v1/embeddings').kind, 'unknown')
})
