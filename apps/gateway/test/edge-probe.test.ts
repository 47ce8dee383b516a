import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEdgeProbe } from '@ascribe/identity/edge-probe'
import { startEngine } from '@ascribe/sandbox'
import { CHAT, IDENTITY, SERVER_SECRET, ask, startTestGateway } from './support.ts'

// What `ascribe doctor --edge` asks, ADR 0099.

const probe = (secret: Buffer = SERVER_SECRET): object => ({ ...CHAT, model: createEdgeProbe(secret, Date.now()) })

test('a probe shows what of its own request arrived, leaves no record, and no engine sees it', async (t) => {
  await using engine = await startEngine()
  const world = await startTestGateway(t, { upstream: engine.url })
  const headers = { ...IDENTITY, x_saturn_AUTH_id: 'forged', 'X-Saturn-Plan': 'gold', 'X-Other': 'o' }
  const answer = await ask(world.url, { headers, body: probe() })
  assert.equal(answer.status, 200)
  const { peer, ...seen } = JSON.parse(answer.text) as Record<string, unknown>
  assert.match(String(peer), /^127\./)
  assert.deepEqual(seen, {
    object: 'ascribe.edge_probe',
    identified_by: 'headers',
    auth_id: 'auth-1',
    resource_id: 'resource-1',
    headers: Object.entries(headers).slice(0, 4),
  })
  assert.deepEqual([await world.entries(), engine.seen], [[], []])
})

test('a probe passes no gate that a request would not: nothing is shown to whoever cannot be attributed', async (t) => {
  const world = await startTestGateway(t, { trust: { networks: [] } })
  assert.equal((await ask(world.url, { body: probe() })).status, 401)
  const { key, authId } = world.addKey()
  const byKey = await ask(world.url, { headers: { ...IDENTITY, authorization: `Bearer ${key}` }, body: probe() })
  const seen = JSON.parse(byKey.text) as Record<string, unknown>
  assert.deepEqual([seen['identified_by'], seen['auth_id'], seen['resource_id']], ['key', authId, null])
})

test('a probe that is forged, old or used is 404, and never goes to the catch-all', async (t) => {
  await using engine = await startEngine()
  const world = await startTestGateway(t, { upstream: engine.url })
  const once = probe()
  assert.equal((await ask(world.url, { body: once })).status, 200)
  for (const body of [once, probe(Buffer.alloc(32, 9)), { ...CHAT, model: 'ascribe-edge-probe:x' }]) {
    const answer = await ask(world.url, { body })
    assert.equal(answer.status, 404)
    assert.match(answer.text, /edge_probe_not_taken/)
  }
  assert.deepEqual([await world.entries(), engine.seen], [[], []])
})

test("a probe never shows the edge's secret, whatever that is called", async (t) => {
  const value = 'a-secret-that-only-the-edge-knows'
  for (const name of ['X-Saturn-Proof', 'X_Saturn_Proof']) {
    const world = await startTestGateway(t, { trust: { networks: [], secretHeader: { name, value } } })
    const answer = await ask(world.url, { headers: { ...IDENTITY, [name]: value, 'x-saturn_proof': value }, body: probe() })
    assert.equal(answer.status, 200)
    assert.ok(!answer.text.includes(value), name)
  }
})
