import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import { STRANGERS, assertUnserved, startWithEngine } from './engine-world.ts'
import { CHAT, ask, routeTo, startTestGateway } from './support.ts'

// The models of the route table: who may see them, and what each means.

test('GET /v1/models lists the route table for a key, free and without a record', async (t) => {
  const world = await startWithEngine(t, { ...STRANGERS, routes: [routeTo('http://127.0.0.1:9', { models: ['b-model', 'a-model'] })] })
  const { key } = world.addKey()
  const headers = { Authorization: `Bearer ${key}` }
  const list = await ask(world.url, { method: 'GET', path: '/v1/models', headers })
  assert.equal(list.status, 200)
  assert.deepEqual(
    JSON.parse(list.text).data.map((model: { id: string }) => model.id),
    ['a-model', 'b-model'],
  )
  const one = await ask(world.url, { method: 'GET', path: '/v1/models/a-model', headers })
  assert.deepEqual(JSON.parse(one.text), { id: 'a-model', object: 'model', created: 0, owned_by: 'ascribe' })
  assert.equal((await ask(world.url, { method: 'GET', path: '/v1/models/c', headers })).status, 404)
  assert.equal((await ask(world.url, { method: 'GET', path: '/v1/models', headers: {} })).status, 401)
  await assertUnserved(world)
})

test('a model without a route is 404 in the shape of OpenAI, without a record', async (t) => {
  const world = await startWithEngine(t, { routes: [routeTo('http://127.0.0.1:9', { models: ['known'] })] })
  const answer = await ask(world.url, { body: { ...CHAT, model: 'un"known' } })
  assert.equal(answer.status, 404)
  assert.deepEqual(JSON.parse(answer.text), {
    error: {
      message: 'The model `un"known` does not exist or you do not have access to it.',
      type: 'invalid_request_error',
      param: 'model',
      code: 'model_not_found',
    },
  })
  await assertUnserved(world)
})

test('with a key the resource comes from the route of the model', async (t) => {
  const engine = await startEngine()
  t.after(() => engine.close())
  const routes = [
    routeTo(engine.url, { id: 'small', models: ['sandbox-small'], resourceId: 'res-small', resourceType: 'deployment' }),
    routeTo(engine.url, { id: 'large', models: ['sandbox-large'], resourceId: 'res-large' }),
  ]
  const world = await startTestGateway(t, { ...STRANGERS, routes })
  const { key } = world.addKey()
  for (const model of ['sandbox-small', 'sandbox-large']) {
    await ask(world.url, { headers: { Authorization: `Bearer ${key}` }, body: { ...CHAT, model } })
  }
  assert.deepEqual(
    (await world.records(2)).map(({ route, resourceId, resourceType, modelAsked }) => ({ route, resourceId, resourceType, modelAsked })),
    [
      { route: 'small', resourceId: 'res-small', resourceType: 'deployment', modelAsked: 'sandbox-small' },
      { route: 'large', resourceId: 'res-large', resourceType: undefined, modelAsked: 'sandbox-large' },
    ],
  )
})
