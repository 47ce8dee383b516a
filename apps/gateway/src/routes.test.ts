import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { createRouteTable, parseUpstreamUrl } from './routes.ts'
import type { Route } from './routes.ts'

function route(id: string, options: Partial<Route> = {}): Route {
  return {
    id,
    models: [],
    resourceId: id,
    upstream: { origin: 'http://127.0.0.1:9' },
    basePath: '/v1',
    forwardHeaders: new Set(),
    forwardRequestId: false,
    multipleChoices: 'count',
    ...options,
  }
}

const idOf = (routes: readonly Route[], model?: string, resourceId?: string): string | undefined =>
  createRouteTable(routes).find({ model, resourceId })?.id

test('find() goes by model, then to the catch-all', () => {
  const routes = [route('a', { models: ['m1', 'm2'] }), route('b', { models: ['m3'] }), route('rest')]
  assert.equal(idOf(routes, 'm2'), 'a')
  assert.equal(idOf(routes, 'm3'), 'b')
  assert.equal(idOf(routes, 'm4'), 'rest')
  assert.equal(idOf(routes), 'rest')
})

test('find() finds nothing for an unknown model without a catch-all', () => {
  const routes = [route('a', { models: ['m1'] })]
  assert.equal(idOf(routes, 'm4'), undefined)
  assert.equal(idOf(routes), undefined)
  assert.equal(idOf(routes, 'm4', 'elsewhere'), undefined)
})

test('find() follows the resource that a trusted header names before the model', () => {
  const routes = [route('a', { models: ['m1'], resourceId: 'res-a' }), route('b', { models: ['m2'], resourceId: 'res-b' }), route('rest')]
  assert.equal(idOf(routes, 'm2', 'res-b'), 'b')
  assert.equal(idOf(routes, 'ft:m2:x', 'res-b'), 'b')
  assert.equal(idOf(routes, undefined, 'res-b'), 'b')
  assert.equal(idOf(routes, 'm1', 'elsewhere'), 'a')
  assert.equal(idOf(routes, 'm9', 'elsewhere'), 'rest')
})

test('a resource never serves under the name, and the price, of the model of another', () => {
  const routes = [route('cheap', { models: ['m1'], resourceId: 'res-a' }), route('dear', { models: ['m2'], resourceId: 'res-b' })]
  assert.equal(idOf(routes, 'm1', 'res-b'), undefined)
})

test('find() tells routes of one resource apart by model, and never sends a model to the upstream of another', () => {
  const shared = { resourceId: 'default' }
  const routes = [route('a', { models: ['m1'], ...shared }), route('b', { models: ['m2'], ...shared }), route('rest', shared)]
  assert.equal(idOf(routes, 'm1', 'default'), 'a')
  assert.equal(idOf(routes, 'm2', 'default'), 'b')
  assert.equal(idOf(routes, 'm3', 'default'), 'rest')
})

test('createRouteTable() lists models sorted', () => {
  assert.deepEqual(createRouteTable([route('a', { models: ['z', 'b'] }), route('b', { models: ['m'] }), route('c')]).models, [
    'b',
    'm',
    'z',
  ])
})

test('createRouteTable() refuses two routes for one model, and two catch-alls', () => {
  assert.throws(() => createRouteTable([route('a', { models: ['m'] }), route('b', { models: ['m'] })]), InputError)
  assert.throws(() => createRouteTable([route('a'), route('b')]), InputError)
})

for (const [text, origin, basePath] of [
  ['http://127.0.0.1:8000', 'http://127.0.0.1:8000', '/v1'],
  ['http://127.0.0.1:8000/', 'http://127.0.0.1:8000', '/v1'],
  ['http://127.0.0.1:8000/v1', 'http://127.0.0.1:8000', '/v1'],
  ['http://127.0.0.1:8000/v1/', 'http://127.0.0.1:8000', '/v1'],
  ['https://Engine.example/openai', 'https://engine.example', '/openai/v1'],
  ['https://engine.example:443/openai/v1', 'https://engine.example', '/openai/v1'],
  ['http://[::1]:8000/myv1', 'http://[::1]:8000', '/myv1/v1'],
] as const) {
  test(`parseUpstreamUrl() splits ${text}`, () => {
    assert.deepEqual(parseUpstreamUrl(text), { origin, basePath })
  })
}

for (const text of [
  '',
  'engine:8000',
  'ftp://engine',
  'http://',
  'http://u:secret@engine',
  'http://engine/?key=secret',
  'http://engine/#x',
]) {
  test(`parseUpstreamUrl() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseUpstreamUrl(text), InputError)
  })
}

for (const text of ['http://user:secret@engine', 'ftp://user:secret@engine', 'user:secret@engine', 'http://engine?key=secret']) {
  test(`parseUpstreamUrl() does not print the credential in ${text}`, () => {
    assert.throws(
      () => parseUpstreamUrl(text),
      (error) => error instanceof InputError && !error.message.includes('secret'),
    )
  })
}
