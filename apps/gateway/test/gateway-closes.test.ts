import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENTS, LAST_CHUNK, STREAM, ask, chunk, until, watch } from './support.ts'
import { HEAD, gist, startScripted, theRecord } from './ways-out.ts'

// A gateway that shuts down: what becomes of the requests that are open.

test('close() settles a stream that is still open as interrupted, with what passed', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a') + EVENTS.content('b'))]))
  await client.sees('"b"')
  await world.gateway.close({ graceMs: 0 })
  await client.isClosed()
  assert.doesNotMatch(client.text, /0\r\n\r\n$/)
  assert.deepEqual(gist(await theRecord(world)), ['interrupted', 'estimated', 2])
})

test('close() answers 503 where the upstream has not answered yet, and settles the request as interrupted', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url)
  await world.upstream.asked()
  await world.gateway.close({ graceMs: 0 })
  const answer = await reply
  assert.equal(answer.status, 503)
  assert.equal(JSON.parse(answer.text).error.code, 'shutting_down')
  assert.deepEqual(gist(await theRecord(world)), ['interrupted', 'unknown', null])
})

test('close() lets a stream that ends within the grace end', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))]))
  const closed = world.gateway.close({ graceMs: 10_000 })
  assert.equal(world.gateway.unready, 'it is shutting down')
  upstream.socket.write(Buffer.concat([chunk(EVENTS.finish + EVENTS.usage(4, 1) + EVENTS.done), Buffer.from(LAST_CHUNK)]))
  assert.equal((await reply).whole, true)
  await closed
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 1])
})

test('close() that is cut short settles at once', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))]))
  await client.sees('"a"')
  const cut = new AbortController()
  const closed = world.gateway.close({ graceMs: 600_000, cut: cut.signal })
  cut.abort()
  await closed
  assert.deepEqual(gist(await theRecord(world)), ['interrupted', 'estimated', 1])
})

test('close() while the client has left and the upstream is drained leaves the record aborted', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))]))
  await client.sees('"a"')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  await world.gateway.close({ graceMs: 0 })
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'estimated', 1])
})
