import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STRANGERS, assertUnserved, startWithEngine } from './engine-world.ts'
import { ask } from './support.ts'
import type { HeaderList } from './support.ts'

// A key that a client shows: which is good, and for what.

test('a key that is unknown, malformed or not a bearer token is 401 in the shape of OpenAI', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key } = world.addKey()
  const wrong = [
    `Bearer ${key.slice(0, -1)}!`,
    `Bearer ${key}x`,
    'Bearer',
    `Basic ${key}`,
    key,
    `Bearer ask_${'0'.repeat(12)}_${'0'.repeat(32)}`,
  ]
  for (const authorization of wrong) {
    const answer = await ask(world.url, { headers: { Authorization: authorization } })
    assert.equal(answer.status, 401, authorization)
    const { error } = JSON.parse(answer.text) as { error: Record<string, unknown> }
    assert.deepEqual([error['type'], error['code'], error['param']], ['invalid_request_error', 'invalid_api_key', null])
    assert.ok(!answer.text.includes(key.slice(4)), 'the reply does not repeat the key')
  }
  await assertUnserved(world)
})

test('a revoked key is refused within moments', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key, authId } = world.addKey()
  const { key: other } = world.addKey()
  const statusOf = async (token: string): Promise<number> =>
    (await ask(world.url, { headers: { Authorization: `Bearer ${token}` } })).status
  assert.equal(await statusOf(key), 200)
  world.revokeKey(authId)
  const deadline = performance.now() + 2_000
  while ((await statusOf(key)) === 200) assert.ok(performance.now() < deadline, 'the revoked key still works')
  assert.equal(await statusOf(key), 401)
  assert.equal(await statusOf(other), 200)
})

test('a key without the scope for inference is 403, and the upstream sees nothing', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key } = world.addKey(['billing:read'])
  const answer = await ask(world.url, { headers: { Authorization: `Bearer ${key}` } })
  assert.equal(answer.status, 403)
  assert.equal(JSON.parse(answer.text).error.code, 'insufficient_scope')
  await assertUnserved(world)
})

test('a repeated Authorization is 401', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key } = world.addKey()
  const headers: HeaderList = [
    ['Authorization', `Bearer ${key}`],
    ['Authorization', `Bearer ${key}`],
  ]
  assert.equal((await ask(world.url, { headers })).status, 401)
})
