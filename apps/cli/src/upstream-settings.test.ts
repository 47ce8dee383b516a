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
