import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route } from './routes.ts'
import { clientHeaders, upstreamHeaders } from './upstream-headers.ts'
import type { UpstreamHeadersOptions } from './upstream-headers.ts'

type Setting = Partial<Omit<UpstreamHeadersOptions, 'route'>> & { readonly route?: Partial<Route> }

function sent(client: readonly string[], setting: Setting = {}): string[] {
  const route: Route = {
    id: 'default',
    models: [],
    resourceId: 'default',
    upstream: { origin: 'http://127.0.0.1:9' },
    basePath: '/v1',
    forwardHeaders: new Set(),
    forwardRequestId: false,
    multipleChoices: 'count',
    ...setting.route,
  }
  return upstreamHeaders(client, {
    identityPrefix: 'x-saturn-',
    isIdentityTrusted: true,
    secretHeader: undefined,
    eventId: 'event',
    clientRequestId: undefined,
    ...setting,
    route,
  })
}

const OURS = ['accept-encoding', 'identity', 'x-request-id', 'event']

test('upstreamHeaders() passes what is end to end as it was written, repeated fields too', () => {
  const client = ['Content-Type', 'application/json', 'X-A', '1', 'x-a', '2', 'OpenAI-Beta', 'b']
  assert.deepEqual(sent(client), [...client, ...OURS])
})

test('upstreamHeaders() drops hop-by-hop fields, and those that Connection names', () => {
  assert.deepEqual(sent(['Connection', 'x-hop', 'X-Hop', '1', 'TE', 'trailers', 'Keep-Alive', 'timeout=1']), OURS)
})

test('upstreamHeaders() drops what it or the transport writes', () => {
  const client = ['Host', 'gateway', 'Content-Length', '3', 'Accept-Encoding', 'gzip', 'X-Request-Id', 'mine', 'Expect', '100-continue']
  assert.deepEqual(sent(client), OURS)
})

test('no field ever names another path or method than what is metered', () => {
  const names = ['X-Original-URL', 'X-Rewrite-Url', 'x-http-method-override', 'X-HTTP-Method', 'X-Method-Override', 'X_Original_URL']
  assert.deepEqual(sent(names.flatMap((name) => [name, '/v1/chat/completions'])), OURS)
})

test('a field never goes up because its hyphens are written as underscores', () => {
  const client = [
    'Content_Length',
    '9',
    'Transfer_Encoding',
    'chunked',
    'X_Api_Key',
    'k',
    'X_Request_Id',
    'r',
    'X_Edge',
    's',
    'X_Saturn_User_Id',
    'u',
  ]
  const route = { forwardHeaders: new Set(['x-saturn-user-id', 'x-api-key']) }
  assert.deepEqual(sent(client, { route, secretHeader: 'x-edge' }), OURS)
  assert.deepEqual(sent(['X-Saturn-User-Id', 'u', 'My_Field', '1'], { route }), ['X-Saturn-User-Id', 'u', 'My_Field', '1', ...OURS])
})

test('upstreamHeaders() drops credentials and identity, in any case', () => {
  const client = ['AUTHORIZATION', 'a', 'Cookie', 'b', 'x-Api-key', 'c', 'X-SATURN-Auth-Id', 'd', 'x-saturn-', 'e']
  assert.deepEqual(sent(client), OURS)
})

test('upstreamHeaders() passes what the route forwards', () => {
  const forwardHeaders = new Set(['authorization', 'x-saturn-user-id'])
  const client = ['Authorization', 'a', 'Cookie', 'b', 'X-Saturn-User-Id', 'd', 'X-Saturn-Auth-Id', 'e']
  assert.deepEqual(sent(client, { route: { forwardHeaders } }), ['Authorization', 'a', 'X-Saturn-User-Id', 'd', ...OURS])
})

test('upstreamHeaders() never passes identity that nobody trusted', () => {
  const setting = { isIdentityTrusted: false, route: { forwardHeaders: new Set(['x-saturn-user-id']) } }
  assert.deepEqual(sent(['X-Saturn-User-Id', 'd'], setting), OURS)
})

test('upstreamHeaders() drops identity that is written with underscores, which many servers read as dashes', () => {
  assert.deepEqual(sent(['X_Saturn_Auth_Id', 'forged', 'x-saturn_user-id', 'forged']), OURS)
})

test('upstreamHeaders() drops identity whose prefix is written with underscores itself', () => {
  const setting = { identityPrefix: 'x_edge_', isIdentityTrusted: false }
  assert.deepEqual(sent(['X_Edge_User', 'forged', 'X-Edge-User', 'forged'], setting), OURS)
})

test('upstreamHeaders() never passes the secret of the edge', () => {
  for (const name of ['x-edge-secret', 'x-saturn-secret']) {
    const setting = { secretHeader: name, route: { forwardHeaders: new Set([name]) } }
    assert.deepEqual(sent([name.toUpperCase(), 'd'], setting), OURS)
  }
})

test("upstreamHeaders() sends the route's credential in place of the client's", () => {
  const route = { credential: { reveal: () => 'key' }, forwardHeaders: new Set(['authorization']) }
  assert.deepEqual(sent(['Authorization', 'Bearer mine'], { route }), [...OURS, 'authorization', 'Bearer key'])
})

test('upstreamHeaders() sends a credential in the field of its route, behind Bearer or as it is', () => {
  const secret = { reveal: () => 'key' }
  for (const [field, sentField] of [
    [{ header: 'x-api-key', scheme: 'none' }, ['x-api-key', 'key']],
    [{ header: 'authorization', scheme: 'none' }, ['authorization', 'key']],
    [{ header: 'ocp-key', scheme: 'bearer' }, ['ocp-key', 'Bearer key']],
  ] as const) {
    const theirs = [field.header, 'c', field.header.toUpperCase(), 'c', field.header.replaceAll('-', '_'), 'c', 'Ocp-Kez', 'kept']
    const route = { credential: { ...secret, field }, forwardHeaders: new Set([field.header]) }
    assert.deepEqual(sent(theirs, { route }), ['Ocp-Kez', 'kept', ...OURS, ...sentField])
  }
})

test("upstreamHeaders() sends the client's request id where the route says so, and ours where there is none", () => {
  const route = { forwardRequestId: true }
  assert.equal(sent([], { route, clientRequestId: 'mine' }).at(-1), 'mine')
  assert.equal(sent([], { route }).at(-1), 'event')
  assert.equal(sent([], { clientRequestId: 'mine' }).at(-1), 'event')
})

test("clientHeaders() puts our request id in place of every one of the upstream's", () => {
  const upstream = ['x-request-id', '1', 'Content-Length', '3', 'X-REQUEST-ID', '2', 'Set-Cookie', 'a', 'set-cookie', 'b']
  const kept = ['Set-Cookie', 'a', 'set-cookie', 'b', 'X-Request-Id', 'ours']
  assert.deepEqual(clientHeaders(upstream, 'ours', { dropContentLength: false }), ['Content-Length', '3', ...kept])
  assert.deepEqual(clientHeaders(upstream, 'ours', { dropContentLength: true }), kept)
})
