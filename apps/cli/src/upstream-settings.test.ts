import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { Secret } from '@ascribe/service'
import { RouteSchema, checkDeployment, deploymentRoute, routesOf } from './route-settings.ts'

const one = (fields: object, credentials: Readonly<Record<string, Secret>> = {}): ReturnType<typeof routesOf>[number] => {
  const [route] = routesOf({ routes: [RouteSchema.parse({ id: 'r', ...fields })], credentials })
  return route ?? assert.fail()
}

test('routesOf() leaves a route with one upstream as cheap as it was: nothing to balance', () => {
  const route = one({ upstream: 'http://a:8000' })
  assert.deepEqual([route.upstream.origin, route.basePath, route.balance, route.template], ['http://a:8000', '/v1', undefined, undefined])
})

test('routesOf() gives several upstreams what the route says of all of them, and what each says of itself', () => {
  const route = one(
    {
      upstreams: [
        { url: 'http://a:8000', weight: 3 },
        { id: 'second', url: 'http://b:8000/x', credential_name: 'b' },
      ],
      credential_name: 'all',
      head_timeout: '1s',
      retry: { on: [503, 'reset'] },
    },
    { all: new Secret('for-all'), b: new Secret('for-b') },
  )
  const { places, retry, health } = route.balance ?? assert.fail()
  assert.deepEqual(
    places.map(({ id, upstream, basePath, weight, credential }) => [
      id,
      upstream.origin,
      upstream.headTimeoutMs,
      basePath,
      weight,
      credential?.reveal(),
    ]),
    [
      ['a:8000', 'http://a:8000', 1000, '/v1', 3, 'for-all'],
      ['second', 'http://b:8000', 1000, '/x/v1', 1, 'for-b'],
    ],
  )
  assert.deepEqual([retry.attemptsMax, [...retry.on], retry.billFailed, health.check], [2, [503, 'reset'], false, undefined])
})

for (const [what, fields] of [
  ['no upstream', {}],
  ['both', { upstream: 'http://a', upstreams: [{ url: 'http://b' }] }],
  ['two of one name', { upstreams: [{ url: 'http://a' }, { url: 'http://a/other' }] }],
  ['a template among several', { upstreams: [{ url: 'http://{resource}.svc' }] }],
  ['a template with health', { upstream: 'http://{resource}.svc', health: {} }],
  ['a template that is all id', { upstream: 'http://{resource}' }],
  ['a credential that is not there', { upstream: 'http://a', credential_name: 'nobody' }],
  ['a credential that every object has', { upstream: 'http://a', credential_name: 'constructor' }],
  ['two credentials', { upstream: 'http://a', credential_name: 'x', credential: new Secret('y') }],
] as const) {
  test(`routesOf() refuses a route with ${what}`, () => {
    assert.throws(() => one(fields), InputError)
  })
}

const FIELDS = { all: new Secret('for-all'), b: new Secret('for-b') }

test('routesOf(): a credential travels as Bearer unless the route says in which header, and then as it is', () => {
  for (const [says, field] of [
    [{}, undefined],
    [{ credential_header: 'X-Api-Key' }, { header: 'x-api-key', scheme: 'none' }],
    [{ credential_header: 'Authorization' }, { header: 'authorization', scheme: 'bearer' }],
    [{ credential_scheme: 'none' }, { header: 'authorization', scheme: 'none' }],
    [
      { credential_header: 'x-engine-token', credential_scheme: 'bearer' },
      { header: 'x-engine-token', scheme: 'bearer' },
    ],
  ] as const) {
    for (const upstream of ['http://a:8000', 'http://{resource}.svc']) {
      const { credential } = one({ upstream, credential_name: 'all', ...says }, FIELDS)
      assert.deepEqual([credential?.field, credential?.reveal()], [field, 'for-all'], JSON.stringify(says))
    }
  }
})

test('routesOf(): an upstream says of its header what it says, and the rest is as its route says it', () => {
  const upstreams = [
    { url: 'http://a' },
    { url: 'http://b', credential_name: 'b' },
    { url: 'http://c', credential_name: 'b', credential_header: 'authorization' },
    { url: 'http://d', credential_header: 'x-api-key' },
    { url: 'http://e', credential_scheme: 'none' },
  ]
  const fields = { upstreams, credential_name: 'all', credential_header: 'api-key', credential_scheme: 'bearer' }
  assert.deepEqual(
    one(fields, FIELDS).balance?.places.map(({ credential }) => [
      credential?.reveal(),
      credential?.field?.header,
      credential?.field?.scheme,
    ]),
    [
      ['for-all', 'api-key', 'bearer'],
      ['for-b', 'api-key', 'bearer'],
      ['for-b', 'authorization', 'bearer'],
      ['for-all', 'x-api-key', 'none'],
      ['for-all', 'api-key', 'none'],
    ],
  )
})

test('a credential never travels in a header that something else needs, and none is said where there is no credential', () => {
  const upstream = 'http://a'
  for (const taken of [
    'Host',
    'content-length',
    'Content-Type',
    'cookie',
    'x-request-id',
    'accept',
    'proxy-authorization',
    'a b',
    'x_api_key',
    'x:',
    '',
  ])
    assert.throws(() => one({ upstream, credential_name: 'all', credential_header: taken }, FIELDS), /credential_header/, taken)
  assert.throws(() => one({ upstream, credential_name: 'all', credential_scheme: 'Basic' }, FIELDS), /credential_scheme/)
  for (const idle of [
    { upstream, credential_header: 'x-api-key' },
    { upstream, credential_scheme: 'none' },
    { upstreams: [{ url: 'http://a' }], credential_header: 'x-api-key' },
    {
      upstreams: [
        { url: 'http://a', credential_header: 'x-api-key' },
        { url: 'http://b', credential_name: 'b' },
      ],
    },
  ])
    assert.throws(() => one(idle, FIELDS), InputError, JSON.stringify(idle))
  // An engine at home beside one that is paid.
  const mixed = { upstreams: [{ url: 'http://a' }, { url: 'http://b', credential_name: 'b' }], credential_header: 'x-api-key' }
  assert.deepEqual(
    one(mixed, FIELDS).balance?.places.map(({ credential }) => credential?.field?.header),
    [undefined, 'x-api-key'],
  )
})

test('a deployment of the ledger says in which header a credential travels that each gateway has by its name', () => {
  const entry = { resource_id: 'dep-1', upstream: 'http://a:8000', credential_name: 'b', credential_header: 'x-api-key' }
  checkDeployment(entry)
  assert.deepEqual(deploymentRoute(entry, FIELDS).credential?.field, { header: 'x-api-key', scheme: 'none' })
  assert.throws(() => checkDeployment({ ...entry, credential_header: 'host' }), InputError)
  const several = { resource_id: 'dep-2', upstreams: [{ url: 'http://a', credential_name: 'b', credential_header: 'api-key' }] }
  assert.deepEqual(deploymentRoute(several, FIELDS).balance?.places[0]?.credential?.field?.header, 'api-key')
})

test('deploymentRoute() reads what the ledger keeps as the configuration is read, by its resource', () => {
  const route = deploymentRoute({ resource_id: 'dep-1', models: ['m'], upstream: 'http://a:8000', max_output_tokens: 7 }, {})
  assert.deepEqual([route.id, route.resourceId, route.models, route.maxOutputTokens], ['dep-1', 'dep-1', ['m'], 7])
  assert.equal(deploymentRoute({ resource_id: 'dep-1', models: ['m'], retired: true }, {}).isRetired, true)
})

test('a deployment never holds a secret, a file of this machine, or what this program does not know', () => {
  for (const more of [{ credential: { env: 'PATH' } }, { ca_file: '/etc/passwd' }, { of_a_newer_program: 1 }, { id: 'other' }])
    assert.throws(() => checkDeployment({ resource_id: 'dep-1', upstream: 'http://a', ...more }), InputError)
  assert.throws(() => checkDeployment({ resource_id: 'dep-1', upstreams: [{ url: 'http://a', credential: 'x' }] }), InputError)
  // Its name may be one that only gateways know.
  checkDeployment({ resource_id: 'dep-1', upstream: 'http://a', credential_name: 'engines' })
  assert.throws(() => deploymentRoute({ resource_id: 'dep-1', upstream: 'http://a', credential_name: 'engines' }, {}), InputError)
})
