import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { constants, gzipSync } from 'node:zlib'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import type { UsageRecord } from '@ascribe/usage'
import { ask, CHAT, chunk, chunkedHead, EVENTS, fixedReply, IDENTITY, jsonChat, LAST_CHUNK, rawUpstream } from './support.ts'
import { routeTo, startTestGateway, until, watch } from './support.ts'
import type { GatewayOptions, RawUpstream, TestGateway } from './support.ts'

const STREAM = { ...CHAT, stream: true }
const HEAD = chunkedHead('text/event-stream')

async function start(t: TestContext, options: GatewayOptions = {}): Promise<TestGateway & { readonly engine: SandboxEngine }> {
  const engine = await startEngine()
  t.after(() => engine.close())
  return Object.assign(await startTestGateway(t, { upstream: engine.url, ...options }), { engine })
}

/** A gateway before an upstream whose every byte is the test's. */
async function startScripted(t: TestContext, options: GatewayOptions = {}): Promise<TestGateway & { readonly upstream: RawUpstream }> {
  const upstream = await rawUpstream(t)
  return Object.assign(await startTestGateway(t, { upstream: upstream.url, ...options }), { upstream })
}

/** What every settled record must be: the only one of its intent. */
async function theRecord(world: TestGateway): Promise<UsageRecord> {
  const record = await world.record()
  const entries = await world.entries()
  assert.deepEqual(
    entries.map((entry) => [entry.kind, entry.eventId]),
    [
      ['intent', record.eventId],
      ['settlement', record.eventId],
    ],
  )
  return record
}

const gist = ({ outcome, provenance, completionTokens }: UsageRecord): unknown[] => [outcome, provenance, completionTokens]

const sum = (record: UsageRecord): number => Object.values(record.meters).reduce((total, each) => total + each, 0)

test('a reply that came whole is completed, with the counts that the engine reported', async (t) => {
  const world = await start(t)
  const before = Date.now()
  await ask(world.url, { body: STREAM })
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'reported', 5])
  assert.deepEqual(
    [record.status, record.model, record.finishReason, record.api, record.streamed],
    [200, 'sandbox-small', 'length', 'chat', true],
  )
  assert.equal(sum(record), (record.promptTokens ?? 0) + 5)
  assert.ok(record.startedAt >= before && record.endedAt >= record.startedAt && (record.firstByteMs ?? -1) >= 0)
})

test('a client that leaves before the head is aborted, and the upstream is drained for its usage', async (t) => {
  const world = await start(t)
  const client = await watch(t, world.port, { body: { ...STREAM, sandbox: { headDelayMs: 40 } } })
  await until('the upstream has the request', () => world.engine.seen.length === 1)
  client.socket.destroy()
  assert.deepEqual(gist(await theRecord(world)), ['aborted', 'reported', 5])
  assert.equal(world.engine.seen[0]?.ending, 'completed')
})

test('a client that leaves in mid-stream is aborted, and charged what the engine reports', async (t) => {
  const world = await start(t)
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
  const world = await start(t)
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
  const world = await start(t, { drain: { ms: 0, bytes: 0 } })
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

test('an upstream that breaks off after [DONE] breaks nothing: the client has it all', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url, { body: STREAM })
  const upstream = await world.upstream.asked()
  const events = EVENTS.content('a') + EVENTS.finish
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(events + EVENTS.usage(4, 2) + EVENTS.done)]), () =>
    upstream.socket.destroy(),
  )
  const { text, whole } = await reply
  assert.equal(text, events + EVENTS.done)
  assert.equal(whole, true)
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 2])
})

test('an upstream that refuses is 502 in the shape of OpenAI, with the id to ask about', async (t) => {
  const world = await startTestGateway(t, { upstream: 'http://127.0.0.1:1' })
  const answer = await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': 'mine' } })
  assert.equal(answer.status, 502)
  const { error } = JSON.parse(answer.text) as { error: Record<string, unknown> }
  assert.deepEqual([error['type'], error['code']], ['server_error', 'upstream_unreachable'])
  assert.ok(!answer.text.includes('127.0.0.1'), 'the reply does not say where the upstream is')
  assert.equal(answer.headers['x-request-id'], 'mine')
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['upstream_error', 'unknown', null])
})

test('an upstream without a head in time is 504', async (t) => {
  const upstream = await rawUpstream(t)
  const world = await startTestGateway(t, { routes: [routeTo(upstream.url, { upstream: { origin: upstream.url, headTimeoutMs: 50 } })] })
  const answer = await ask(world.url)
  assert.equal(answer.status, 504)
  assert.equal(JSON.parse(answer.text).error.code, 'upstream_timeout')
  assert.deepEqual(gist(await theRecord(world)), ['upstream_error', 'unknown', null])
})

test('an upstream that falls silent inside its reply is reset for the client, and what passed is estimated', async (t) => {
  const upstream = await rawUpstream(t, (wire) => void wire.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))])))
  const world = await startTestGateway(t, { routes: [routeTo(upstream.url, { upstream: { origin: upstream.url, idleTimeoutMs: 50 } })] })
  assert.equal((await ask(world.url, { body: STREAM })).whole, false)
  assert.deepEqual(gist(await theRecord(world)), ['upstream_reset', 'estimated', 1])
})

test('apisix-13876: a reply that breaks off after its first piece is not asked for again, which would be a second bill', async (t) => {
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(EVENTS.content('a'))]), () => wire.socket.destroy()),
  )
  const world = await startTestGateway(t, { upstream: upstream.url })
  assert.equal((await ask(world.url, { body: STREAM })).whole, false)
  assert.equal((await theRecord(world)).outcome, 'upstream_reset')
  assert.equal(
    upstream.wires
      .map(({ text }) => text)
      .join('')
      .split('POST /v1/chat/completions').length - 1,
    1,
  )
})

test('an upstream that does not speak HTTP is 502', async (t) => {
  const upstream = await rawUpstream(t, (wire) => void wire.socket.write('220 mail.example ESMTP\r\n\r\n'))
  const world = await startTestGateway(t, { upstream: upstream.url })
  const answer = await ask(world.url)
  assert.equal(answer.status, 502)
  assert.equal(JSON.parse(answer.text).error.code, 'upstream_protocol_error')
  assert.deepEqual(gist(await theRecord(world)), ['upstream_error', 'unknown', null])
})

for (const resetWith of ['rst', 'fin'] as const) {
  test(`an upstream that breaks off before its head (${resetWith}) is 502`, async (t) => {
    const world = await start(t)
    const answer = await ask(world.url, { body: { ...CHAT, sandbox: { resetAt: 'before-head', resetWith } } })
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(answer.text).error.code, 'upstream_reset')
    assert.deepEqual(gist(await theRecord(world)), ['upstream_error', 'unknown', null])
  })

  test(`a JSON body that breaks off (${resetWith}) reaches nobody as whole, and is estimated`, async (t) => {
    const world = await start(t)
    const answer = await ask(world.url, { body: { ...CHAT, sandbox: { resetAt: 200, resetWith } } })
    assert.equal(answer.whole, false)
    const record = await theRecord(world)
    assert.deepEqual([record.outcome, record.provenance], ['upstream_reset', 'estimated'])
    assert.ok((record.completionTokens ?? 0) > 0)
  })

  for (const [resetAt, gistOf] of [
    ['before-finish', ['upstream_reset', 'estimated', 5]],
    ['before-usage', ['upstream_reset', 'estimated', 5]],
    ['before-done', ['upstream_reset', 'reported', 5]],
  ] as const) {
    test(`a stream that breaks off ${resetAt} (${resetWith}) reaches nobody as whole: ${gistOf.join(', ')}`, async (t) => {
      const world = await start(t)
      const answer = await ask(world.url, { body: { ...STREAM, sandbox: { resetAt, resetWith } } })
      assert.equal(answer.whole, false)
      assert.deepEqual(gist(await theRecord(world)), gistOf)
    })
  }
}

test('usage in an event that lacks only its end when the stream breaks off is read', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url, { body: STREAM })
  const upstream = await world.upstream.asked()
  const events = EVENTS.content('a') + EVENTS.finish + EVENTS.usage(4, 700).trimEnd()
  upstream.socket.write(Buffer.concat([Buffer.from(HEAD), chunk(events)]), () => upstream.socket.destroy())
  assert.equal((await reply).whole, false)
  assert.deepEqual(gist(await theRecord(world)), ['upstream_reset', 'reported', 700])
})

test('a stream that ends at once with 200 is completed, with unknown quantities', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url, { body: STREAM })
  ;(await world.upstream.asked()).socket.write(HEAD + LAST_CHUNK)
  assert.equal((await reply).whole, true)
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'unknown', null])
  assert.deepEqual(record.meters, {})
})

const ABSURD: readonly Faults[] = [
  { counts: { completion_tokens: -1 } },
  { counts: { prompt_tokens: -5 } },
  { counts: { completion_tokens: 1e30 } },
  { counts: { completion_tokens: 1.5 } },
  { counts: { completion_tokens: '7' } },
]
for (const faults of ABSURD) {
  test(`${JSON.stringify(faults.counts)} is flagged and gives no credit, in JSON and in a stream`, async (t) => {
    const world = await start(t)
    for (const body of [CHAT, STREAM]) assert.equal((await ask(world.url, { body: { ...body, sandbox: faults } })).whole, true)
    for (const record of await world.records(2)) {
      assert.deepEqual([record.outcome, record.invalidUsage], ['completed', true])
      assert.ok(record.provenance === 'unknown' || record.provenance === 'estimated', record.provenance)
      // Not known, or counted from what passed; never zero, and never what the engine said.
      for (const tokens of [record.promptTokens, record.completionTokens])
        assert.ok(tokens === null || (tokens > 0 && tokens < 1_000), `${tokens}`)
    }
  })
}

test('more cached tokens than there are in the prompt give no credit', async (t) => {
  const world = await start(t)
  await ask(world.url, { body: { ...CHAT, sandbox: { counts: { prompt_tokens: 10, cached_tokens: 99 } } } })
  const record = await theRecord(world)
  assert.deepEqual([record.promptTokens, record.cachedTokens, record.invalidUsage], [10, 10, true])
  for (const [meter, quantity] of Object.entries(record.meters)) assert.ok(quantity >= 0, meter)
})

test('two usage events count once', async (t) => {
  const world = await start(t)
  await ask(world.url, { body: { ...STREAM, sandbox: { usage: 'twice' } } })
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 5])
})

test('a stream without usage is estimated from what passed, never zero', async (t) => {
  const world = await start(t)
  await ask(world.url, { body: { ...STREAM, sandbox: { style: 'python' } } })
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'estimated', 5])
  assert.ok((record.promptTokens ?? 0) > 0)
})

test('a JSON reply without usage is estimated, never zero', async (t) => {
  const world = await start(t)
  await ask(world.url, { body: { ...CHAT, sandbox: { usage: 'none' } } })
  const record = await theRecord(world)
  assert.deepEqual([record.outcome, record.provenance], ['completed', 'estimated'])
  assert.ok((record.completionTokens ?? 0) > 0 && (record.promptTokens ?? 0) > 0)
})

test('usage that is reported as zero stays zero', async (t) => {
  const world = await start(t)
  await ask(world.url, {
    body: { ...CHAT, sandbox: { counts: { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, total_tokens: 0 } } },
  })
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 0])
})

test('a clock that is set back never makes a request end before it began', async (t) => {
  let now = Date.now()
  const clock = (): number => (now -= 1_000)
  const world = await start(t, { clock })
  await ask(world.url)
  const record = await theRecord(world)
  assert.equal(record.endedAt, record.startedAt)
  assert.equal(record.firstByteMs, 0)
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

test('a request id that a client sends again is billed each time', async (t) => {
  const world = await start(t)
  const headers = { ...IDENTITY, 'X-Request-Id': 'the-same' }
  for (let times = 0; times < 3; times += 1) assert.equal((await ask(world.url, { headers })).status, 200)
  const records = await world.records(3)
  assert.equal(new Set(records.map((record) => record.eventId)).size, 3)
  for (const record of records) assert.deepEqual([record.requestId, ...gist(record)], ['the-same', 'completed', 'reported', 5])
})

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
