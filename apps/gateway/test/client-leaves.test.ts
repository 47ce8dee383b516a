import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, gzipSync } from 'node:zlib'
import { startWithEngine } from './engine-world.ts'
import { CHAT, EVENTS, LAST_CHUNK, STREAM, chunk, chunkedHead, fixedReply, jsonChat, until, watch } from './support.ts'
import { HEAD, gist, startScripted, theRecord } from './ways-out.ts'

// A client that leaves: what becomes of the rest of the reply, and what is charged.

test('a client that leaves before the head is aborted, and the upstream is drained for its usage', async (t) => {
  const world = await startWithEngine(t)
  const client = await watch(t, world.port, { body: { ...STREAM, sandbox: { headDelayMs: 40 } } })
  await until('the upstream has the request', () => world.engine.seen.length === 1)
  client.socket.destroy()
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'reported', 5])
  assert.equal(world.engine.seen[0]?.ending, 'completed')
})

test('a client that leaves in mid-stream is aborted, and charged what the engine reports', async (t) => {
  const world = await startWithEngine(t)
  const client = await watch(t, world.port, { body: { ...STREAM, max_tokens: 12, sandbox: { tokens: 12, tokenDelayMs: 3 } } })
  await client.sees('"delta":{"content":')
  client.socket.resetAndDestroy()
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['aborted', 'reported', world.engine.seen[0]?.completionTokens])
  assert.equal(record.completionTokens, 12)
})

test('a client that leaves between finish_reason and usage does not get it for free', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('hello') + EVENTS.finish)]))
  await client.sees('finish_reason":"stop"')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  upstream.socket.write(Buffer.concat([chunk(EVENTS.usage(9, 700) + EVENTS.done), Buffer.from(LAST_CHUNK)]))
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'reported', 700])
})

test('a client that leaves inside a JSON body does not get it for free', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port)
  const upstream = await world.upstream.asked()
  const reply = fixedReply(jsonChat(9, 700))
  upstream.socket.write(reply.subarray(0, reply.length - 90))
  await client.sees('hello')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  upstream.socket.write(reply.subarray(reply.length - 90))
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'reported', 700])
})

test('a client that leaves while a JSON reply is being made is aborted, and charged all of it', async (t) => {
  const world = await startWithEngine(t)
  const client = await watch(t, world.port, { body: { ...CHAT, sandbox: { tokenDelayMs: 5 } } })
  await until('the engine is at work', () => (world.engine.seen[0]?.completionTokens ?? 0) > 0)
  client.socket.destroy()
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'reported', 5])
})

test('a drain that takes too long ends: what passed is estimated, never zero', async (t) => {
  const world = await startScripted(t, { drain: { ms: 20, bytes: 1_000_000 } })
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a') + EVENTS.content('b') + EVENTS.content('c'))]))
  await client.sees('"c"')
  client.socket.destroy()
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['aborted', 'estimated', 3])
  assert.ok((record.promptTokens ?? 0) > 0)
  await upstream.isClosed()
})

test('a drain of too many bytes ends: what passed is estimated, what was drained too', async (t) => {
  const world = await startScripted(t, { drain: { ms: 10_000, bytes: 2_000 } })
  const client = await watch(t, world.port, { body: { ...STREAM, max_tokens: undefined } })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))]))
  await client.sees('"a"')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  upstream.socket.write(chunk(EVENTS.content('b').repeat(40)))
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['aborted', 'estimated', 41])
  await upstream.isClosed()
})

test('without a drain the upstream is cancelled at once, and delivered content is estimated, never zero', async (t) => {
  const world = await startWithEngine(t, { drain: { ms: 0, bytes: 0 } })
  const client = await watch(t, world.port, { body: { ...STREAM, max_tokens: 500, sandbox: { tokens: 500, tokenDelayMs: 5 } } })
  await client.sees('"delta":{"content":')
  client.socket.destroy()
  const record = await theRecord(world)
  assert.deepEqual([record.outcome, record.provenance], ['aborted', 'estimated'])
  assert.ok((record.completionTokens ?? 0) > 0)
  await until('the engine stops', () => world.engine.seen[0]?.ending === 'client-left')
})

test('a drain that never gets a head leaves the quantities unknown, not zero', async (t) => {
  const world = await startScripted(t, { drain: { ms: 20, bytes: 1_000 } })
  const client = await watch(t, world.port)
  await world.upstream.asked()
  client.socket.destroy()
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['aborted', 'unknown', null])
  assert.deepEqual([record.promptTokens, record.meters, 'status' in record], [null, {}, false])
})

test('running counts of a stream whose drain ran out are continuous', async (t) => {
  const world = await startScripted(t, { drain: { ms: 20, bytes: 1_000_000 } })
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  const running =
    'data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":4,"completion_tokens":17}}\n\n'
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(running)]))
  await client.sees('completion_tokens')
  client.socket.destroy()
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'continuous', 17])
})

test('a client that leaves after [DONE] is not aborted', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a') + EVENTS.finish + EVENTS.usage(4, 2) + EVENTS.done)]))
  await client.sees('[DONE]')
  client.socket.destroy()
  await upstream.isClosed()
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 2])
})

test('a client that leaves after a compressed [DONE] is not aborted', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port, { body: STREAM })
  const upstream = await world.upstream.asked()
  const body = Buffer.from(EVENTS.content('a') + EVENTS.finish + EVENTS.usage(4, 2) + EVENTS.done)
  // All of the events can be decoded, the end of the body has not come: a zero begins another block.
  const open = gzipSync(body, { finishFlush: constants.Z_SYNC_FLUSH })
  const last = Buffer.from('the-last-bytes-that-came')
  upstream.socket.write(
    Buffer.concat([Buffer.from(chunkedHead('text/event-stream', 'Content-Encoding: gzip\r\n')), chunk(open), chunk(Buffer.of(0))]),
  )
  await client.sees(open.toString('latin1').slice(10, -last.length))
  await world.record()
  client.socket.destroy()
  await upstream.isClosed()
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 2])
})

test('a client that leaves inside an error reply changes nothing about the error', async (t) => {
  const world = await startScripted(t)
  const client = await watch(t, world.port)
  const upstream = await world.upstream.asked()
  const reply = fixedReply('{"error":{"message":"no"}}', { status: '429 Too Many Requests' })
  upstream.socket.write(reply.subarray(0, -4))
  await client.sees('error')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  upstream.socket.write(reply.subarray(-4))
  assert.deepEqual(gist(await theRecord(world)), ['upstream_error', 'unknown', null])
})
