import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { SandboxEngine } from '@ascribe/sandbox'
import { CHAT, ask, routeTo, startTestGateway } from './support.ts'
import type { GatewayOptions, TestGateway } from './support.ts'

// An edge that sees no body cannot know the model: a gateway that is told so for this peer takes the resource from the route.

const FROM_MODEL: NonNullable<GatewayOptions['trust']> = { networks: [], peers: [{ networks: ['127.0.0.1'], resource: 'from-model' }] }
const ALONE = { 'X-Saturn-Auth-Id': 'auth-1' }

async function start(t: TestContext, options: GatewayOptions = {}): Promise<TestGateway & { readonly engine: SandboxEngine }> {
  const engine = await startEngine()
  t.after(() => engine.close())
  const routes = [
    routeTo(engine.url, { id: 'a', models: ['sandbox-small'], resourceId: 'dep-small', resourceType: 'deployment' }),
    routeTo(engine.url, { id: 'b', models: ['sandbox-large'], resourceId: 'dep-large' }),
  ]
  return Object.assign(await startTestGateway(t, { routes, trust: FROM_MODEL, ...options }), { engine })
}

test('an auth id alone gets the resource of the route that its model has, where the peer is told so', async (t) => {
  const world = await start(t)
  assert.equal((await ask(world.url, { headers: ALONE })).status, 200)
  const record = await world.record()
  assert.deepEqual(
    [record.identifiedBy, record.authId, record.resourceId, record.resourceType],
    ['headers', 'auth-1', 'dep-small', 'deployment'],
  )
})

test('an auth id alone is 400 from every other peer, before its body is read', async (t) => {
  const world = await start(t, { trust: { networks: ['127.0.0.1'], peers: [{ networks: ['10.0.0.0/8'], resource: 'from-model' }] } })
  const refused = await ask(world.url, { headers: ALONE, body: 'not even JSON' })
  assert.deepEqual([refused.status, refused.text], [400, 'missing required billing identity: X-Saturn-Resource-Id\n'])
  assert.deepEqual([await world.entries(), world.engine.seen], [[], []])
})

test('an auth id alone with a model that has no route, or without a model, reaches no upstream and leaves no record', async (t) => {
  const world = await start(t)
  assert.equal((await ask(world.url, { headers: ALONE, body: { ...CHAT, model: 'unheard-of' } })).status, 404)
  assert.equal((await ask(world.url, { headers: ALONE, body: { messages: CHAT.messages } })).status, 400)
  assert.deepEqual([await world.entries(), world.engine.seen], [[], []])
})

test('a peer whose resource comes from the model still has to name the auth id, and is not believed twice', async (t) => {
  const world = await start(t)
  const nobody = await ask(world.url, { headers: { 'X-Saturn-Resource-Id': 'dep-small' } })
  assert.deepEqual([nobody.status, nobody.text], [400, 'missing required billing identity: X-Saturn-Auth-Id\n'])
  const twice = await ask(world.url, {
    headers: [
      ['X-Saturn-Auth-Id', 'auth-1'],
      ['x-saturn-auth-id', 'auth-2'],
    ],
  })
  assert.equal(twice.status, 400)
  assert.deepEqual(await world.entries(), [])
})

test('a resource that such a peer does name is kept, and picks the route', async (t) => {
  const world = await start(t)
  const headers = { ...ALONE, 'X-Saturn-Resource-Id': 'dep-large' }
  assert.equal((await ask(world.url, { headers, body: { ...CHAT, model: 'sandbox-large' } })).status, 200)
  assert.equal((await world.record()).resourceId, 'dep-large')
})

test('a resource never has the type of another: not of a header that names none, and not of a route that another one has', async (t) => {
  const world = await start(t)
  const { key } = world.addKey()
  const typed = { 'X-Saturn-Resource-Type': 'free-trial' }
  await ask(world.url, { headers: { ...ALONE, ...typed } })
  await ask(world.url, { headers: { authorization: `Bearer ${key}`, ...typed } })
  await ask(world.url, { headers: { ...ALONE, ...typed }, body: { ...CHAT, model: 'sandbox-large' } })
  await ask(world.url, { headers: { ...ALONE, 'X-Saturn-Resource-Id': 'unheard-of' } })
  assert.deepEqual(
    (await world.records(4)).map(({ identifiedBy, resourceId, resourceType }) => [identifiedBy, resourceId, resourceType]),
    [
      ['headers', 'dep-small', 'deployment'],
      ['key', 'dep-small', 'deployment'],
      ['headers', 'dep-large', undefined],
      ['headers', 'unheard-of', undefined],
    ],
  )
})
