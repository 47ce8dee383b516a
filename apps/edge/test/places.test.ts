import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, bearer, startTestEdge } from './support.ts'
import type { TestEdgeOptions } from './support.ts'

// What stands where: by host, by path, from the proxy that is trusted.

const RULES: NonNullable<TestEdgeOptions['rules']> = [
  { host: 'llama.example.com', resourceId: 'dep-llama', resourceType: 'deployment' },
  { host: 'api.example.com', path: '/models/qwen', resourceId: 'dep-qwen' },
  { host: '*.tenants.example.com', resourceId: 'dep-tenants' },
  { host: 'api.example.com' },
]
const FORWARDED: TestEdgeOptions = { rules: RULES, forwardedFrom: ['127.0.0.0/8'] }

async function resourceAt(url: string, key: string, place: { readonly host?: string; readonly uri?: string }): Promise<number | string> {
  const { host, uri } = place
  const headers = [
    ...bearer(key),
    ...(host === undefined ? [] : ['X-Forwarded-Host', host]),
    ...(uri === undefined ? [] : ['X-Forwarded-Uri', uri]),
  ]
  const answer = await ask(url, { headers })
  return answer.status === 204 ? String(answer.headers['x-saturn-resource-id']) : answer.status
}

test('the resource is that of the first rule that fits, by host and by whole segments of the path', async (t) => {
  const { url, addKey } = await startTestEdge(t, FORWARDED)
  const { key } = addKey()
  for (const [host, uri, expected] of [
    ['llama.example.com', '/v1/chat/completions', 'dep-llama'],
    ['LLAMA.example.com.:8443', '/v1/chat/completions', 'dep-llama'],
    ['api.example.com', '/models/qwen/v1/chat/completions?x=//../', 'dep-qwen'],
    ['api.example.com', '/models/qwen', 'dep-qwen'],
    ['api.example.com', '/models/qwen2/v1', ''],
    ['api.example.com', '/v1/chat/completions', ''],
    ['a.tenants.example.com', '/', 'dep-tenants'],
    ['a.b.tenants.example.com', '/', 403],
    ['tenants.example.com', '/', 403],
    ['other.example.com', '/', 403],
    ['llama.example.com.evil.example', '/', 403],
  ] as const)
    assert.equal(await resourceAt(url, key, { host, uri }), expected, `${host}${uri}`)
})

test('a path that a server behind us may read in another way is 403 where paths decide', async (t) => {
  const { url, addKey } = await startTestEdge(t, FORWARDED)
  const { key } = addKey()
  for (const uri of [
    '/models/x/../qwen/v1',
    '/models/./qwen',
    '/models//qwen',
    '//models/qwen',
    '/models/%71wen',
    '/models%2fqwen',
    '/models/qwen%2f..%2fllama',
    '/models\\qwen',
    '/models/qwen%00',
    'http://api.example.com/models/qwen',
    '*',
    '',
  ])
    assert.equal(await resourceAt(url, key, { host: 'api.example.com', uri }), 403, uri)
  assert.equal(await resourceAt(url, key, { host: 'llama.example.com', uri: '/a//b/../c' }), 'dep-llama')
})

test('a proxy that does not say where the client went, or says it twice, is no reason to guess', async (t) => {
  const { url, addKey } = await startTestEdge(t, FORWARDED)
  const { key } = addKey()
  assert.equal(await resourceAt(url, key, {}), 403)
  assert.equal(await resourceAt(url, key, { host: 'api.example.com' }), 403)
  assert.equal(await resourceAt(url, key, { host: 'llama.example.com, api.example.com', uri: '/' }), 403)
  const twice = ['X-Forwarded-Host', 'llama.example.com', 'x-forwarded-host', 'llama.example.com', 'X-Forwarded-Uri', '/']
  assert.equal((await ask(url, { headers: [...bearer(key), ...twice] })).status, 403)
})

test('X-Forwarded-* of a peer that is not trusted is not read: its own host and target count', async (t) => {
  const { url, addKey } = await startTestEdge(t, { rules: RULES, forwardedFrom: ['10.0.0.0/8'] })
  const { key } = addKey()
  const forged = ['X-Forwarded-Host', 'llama.example.com', 'X-Forwarded-Uri', '/', 'X-Forwarded-For', '10.0.0.1']
  const own = await ask(url, { headers: [...bearer(key), ...forged, 'Host', 'api.example.com'], path: '/models/qwen/v1' })
  assert.deepEqual([own.status, own.headers['x-saturn-resource-id']], [204, 'dep-qwen'])
  assert.equal((await ask(url, { headers: [...bearer(key), ...forged] })).status, 403)
})

test('who cannot be attributed does not learn what is where', async (t) => {
  const { url } = await startTestEdge(t, FORWARDED)
  const here = await ask(url, { headers: ['X-Forwarded-Host', 'llama.example.com', 'X-Forwarded-Uri', '/'] })
  const nowhere = await ask(url, { headers: ['X-Forwarded-Host', 'other.example.com', 'X-Forwarded-Uri', '/'] })
  assert.deepEqual([here.status, here.text], [401, nowhere.text])
})

test('startEdge() refuses rules that can never fit or say nothing', async (t) => {
  for (const rule of [
    {},
    { path: '/' },
    { resourceId: 'x' },
    { host: 'a b' },
    { host: 'http://a' },
    { host: 'a', path: 'models' },
    { host: 'a', path: '/a/../b' },
    { host: 'a', resourceType: 'deployment' },
    { host: 'a', resourceId: '' },
    { host: 'a', resourceId: 'llama\nX-Saturn-Auth-Id: b' },
    { host: 'a', resourceId: ' llama' },
    { host: 'a', resourceId: 'llama', resourceType: 'deployment\r' },
  ])
    await assert.rejects(startTestEdge(t, { rules: [rule] }), { code: 'INPUT_INVALID' }, JSON.stringify(rule))
})
