import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEndpointTable, upstreamTarget } from './endpoints.ts'
import type { OwnRule } from './endpoints.ts'

const endpointOf = createEndpointTable()

for (const [path, api] of [
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
  ['/v1/responses', 'responses'],
  ['/v1/messages', 'messages'],
  ['/v1/audio/speech', 'speech'],
  ['/v1/audio/transcriptions', 'transcriptions'],
  ['/v1/audio/translations', 'transcriptions'],
  ['/v1/images/generations', 'images'],
  ['/v1/images/edits', 'images'],
  ['/v1/images/variations', 'images'],
  ['/v1/rerank', 'rerank'],
  ['/v2/rerank', 'rerank'],
  ['/rerank', 'rerank'],
  ['/v1/messages/count_tokens', 'free'],
  ['/v1/responses/input_tokens', 'free'],
  ['/tokenize', 'free'],
] as const) {
  test(`createEndpointTable() takes POST ${path} for ${api}, and only POST`, () => {
    assert.deepEqual(endpointOf('POST', path), { kind: 'forwarded', api, method: 'POST', path, query: '' })
    assert.deepEqual(endpointOf('POST', `${path}?a=1?b`), { kind: 'forwarded', api, method: 'POST', path, query: '?a=1?b' })
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'post']) {
      assert.deepEqual(endpointOf(method, path), { kind: 'wrong_method', allow: 'POST' })
    }
  })
}

for (const [path, code] of [
  ['/v1/realtime', 'realtime_not_served'],
  ['/v1/realtime/sessions', 'realtime_not_served'],
  ['/v1/batches', 'batches_not_served'],
  ['/v1/batches/batch_1/cancel', 'batches_not_served'],
  ['/v1/messages/batches', 'batches_not_served'],
  ['/v1/files', 'files_not_served'],
  ['/v1/files/file-1/content', 'files_not_served'],
  ['/v1/uploads', 'files_not_served'],
  ['/v1/responses/resp_1', 'stored_replies_not_served'],
  ['/v1/chat/completions/chatcmpl-1/messages', 'stored_replies_not_served'],
  ['/v1/assistants', 'assistants_not_served'],
  ['/v1/fine_tuning/jobs', 'fine_tuning_not_served'],
  ['/v1/videos', 'videos_not_served'],
  ['/v1/moderations', 'moderations_not_served'],
  ['/completion', 'engine_path_not_served'],
  ['/api/chat', 'engine_path_not_served'],
] as const) {
  test(`createEndpointTable() refuses ${path} with a word that says why, whatever the method`, () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const found = endpointOf(method, path)
      assert.equal(found.kind === 'refused' ? found.code : found.kind, code)
    }
  })
}

test('createEndpointTable() knows the list of models and each of them, for GET alone', () => {
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
  '/v1/new/api',
  '/v1/chat/completions/',
  '//v1/chat/completions',
  '/v1/./chat/completions',
  '/v1/x/../chat/completions',
  '/v1/chat%2Fcompletions',
  '/V1/chat/completions',
  '/v1/chat/completions#x',
  '/v1/messages/count_tokens/',
  '/v1/messages/count_tokens/../../chat/completions',
  '/v1/models/',
]) {
  test(`createEndpointTable() has no rule for ${JSON.stringify(target)}, so it is refused`, () => {
    assert.deepEqual(endpointOf('POST', target), { kind: 'unknown' })
  })
}

test('createEndpointTable() takes a target in absolute form for what it names', () => {
  assert.deepEqual(endpointOf('POST', 'http://gateway.example/v1/embeddings?x=1'), endpointOf('POST', '/v1/embeddings?x=1'))
  assert.equal(endpointOf('POST', 'ftp://gateway.example/v1/embeddings').kind, 'unknown')
})

test('createEndpointTable() lets an operator decide about a path, and about what is below one', () => {
  const own = createEndpointTable([
    { path: '/v1/score', rule: 'billable', api: 'rerank' },
    { path: '/v1/engine/health', rule: 'free', method: 'GET' },
    { path: '/v1/tools/*', rule: 'free' },
    { path: '/v1/tools/dear', rule: 'billable', api: 'chat' },
    { path: '/v1/embeddings', rule: 'refused' },
  ])
  const apiOf = (method: string, path: string): string => {
    const found = own(method, path)
    return found.kind === 'forwarded' ? found.api : found.kind
  }
  assert.equal(apiOf('POST', '/v1/score'), 'rerank')
  assert.equal(apiOf('GET', '/v1/engine/health'), 'free')
  assert.equal(apiOf('POST', '/v1/engine/health'), 'wrong_method')
  assert.equal(apiOf('POST', '/v1/tools/count'), 'free')
  assert.equal(apiOf('POST', '/v1/tools/dear'), 'chat')
  assert.equal(apiOf('POST', '/v1/embeddings'), 'refused')
  // An engine would take these for another path.
  for (const path of [
    '/v1/tools/../chat/completions',
    '/v1/tools/./x',
    '/v1/tools//x',
    '/v1/tools/%2e%2e/x',
    '/v1/tools/x;y',
    '/v1/tools/',
  ])
    assert.equal(apiOf('POST', path), 'unknown', path)
})

for (const [what, rules, message] of [
  [
    'makes a path free that generates',
    [{ path: '/v1/chat/completions', rule: 'free' }],
    /cannot be free: it generates, and is metered as chat/,
  ],
  ['is billable by no api', [{ path: '/v1/x', rule: 'billable' }], /does not say by which api/],
  ['is billable by an api that nobody knows', [{ path: '/v1/x', rule: 'billable', api: 'free' }], /does not say by which api/],
  ['is no path', [{ path: '/v1/../x', rule: 'free' }], /is no plain path/],
  ['is the list of models', [{ path: '/v1/models', rule: 'free' }], /answered by the gateway itself/],
  [
    'is there twice',
    [
      { path: '/v1/x', rule: 'free' },
      { path: '/v1/x', rule: 'refused' },
    ],
    /is there twice/,
  ],
] as const satisfies readonly (readonly [string, readonly OwnRule[], RegExp])[]) {
  test(`createEndpointTable() takes no rule that ${what}`, () => {
    assert.throws(() => createEndpointTable(rules), message)
  })
}

test('upstreamTarget() puts a path below the base, and an engine’s own beside it', () => {
  assert.equal(upstreamTarget('/v1', { path: '/v1/rerank', query: '?a=1' }), '/v1/rerank?a=1')
  assert.equal(upstreamTarget('/openai/v1', { path: '/v1/chat/completions', query: '' }), '/openai/v1/chat/completions')
  assert.equal(upstreamTarget('/openai/v1', { path: '/tokenize', query: '' }), '/openai/tokenize')
  assert.equal(upstreamTarget('/v1', { path: '/v2/rerank', query: '' }), '/v2/rerank')
})
