import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import { STRANGERS, startWithEngine } from './engine-world.ts'
import { IDENTITY, ask, startTestGateway } from './support.ts'

// Which of a client's header fields reach the engine.

const PRIVATE = {
  Authorization: 'Bearer private-1',
  Cookie: 'private-2',
  'X-Api-Key': 'private-3',
  'Proxy-Authorization': 'Basic private-4',
  'X-Saturn-User-Id': 'private-5',
} as const

test('credentials, cookies and identity headers do not go up', async (t) => {
  const world = await startWithEngine(t)
  const headers = { ...IDENTITY, ...PRIVATE, 'X-Custom': 'public', 'Accept-Encoding': 'gzip' }
  assert.equal((await ask(world.url, { headers })).status, 200)
  const [seen] = world.engine.seen
  assert.doesNotMatch(JSON.stringify(seen?.headers), /private|x-saturn/i)
  assert.equal(seen?.headers['x-custom'], 'public')
  assert.equal(seen?.headers['accept-encoding'], 'identity')
})

test('what a route forwards goes up, and nothing else', async (t) => {
  const forwardHeaders = new Set(['authorization', 'x-saturn-user-id', 'cookie'])
  const world = await startWithEngine(t, { route: { forwardHeaders } })
  await ask(world.url, { headers: { ...IDENTITY, ...PRIVATE } })
  const headers = world.engine.seen[0]?.headers ?? {}
  assert.equal(headers.authorization, 'Bearer private-1')
  assert.equal(headers.cookie, 'private-2')
  assert.equal(headers['x-saturn-user-id'], 'private-5')
  assert.equal(headers['x-api-key'], undefined)
  assert.equal(headers['x-saturn-auth-id'], undefined)
})

test("a stranger's identity headers never go up, whatever the route forwards", async (t) => {
  const world = await startWithEngine(t, { ...STRANGERS, route: { forwardHeaders: new Set(['x-saturn-auth-id', 'x-saturn-user-id']) } })
  const { key } = world.addKey()
  const headers = { ...IDENTITY, 'X-Saturn-User-Id': 'somebody-else', Authorization: `Bearer ${key}` }
  assert.equal((await ask(world.url, { headers })).status, 200)
  assert.doesNotMatch(JSON.stringify(world.engine.seen[0]?.headers), /x-saturn|somebody-else/i)
})

test("the route's own credential goes up in place of the client's", async (t) => {
  const engine = await startEngine({ apiKey: 'upstream-key' })
  t.after(() => engine.close())
  const credential = { reveal: () => 'upstream-key' }
  const world = await startTestGateway(t, { upstream: engine.url, route: { credential, forwardHeaders: new Set(['authorization']) } })
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, Authorization: 'Bearer private' } })).status, 200)
  assert.equal(engine.seen[0]?.headers.authorization, 'Bearer upstream-key')
  for (const entry of await world.entries()) assert.ok(!entry.payload.includes('upstream-key'))
})
