import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startWithEngine } from './engine-world.ts'
import { CHAT, EVENTS, IDENTITY, STREAM, ask, chunk, rawUpstream, routeTo, startTestGateway } from './support.ts'
import { HEAD, gist, startScripted, theRecord } from './ways-out.ts'

// An upstream that cannot be had, or breaks off, or says nothing: what the client gets, and what is charged.

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
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { body: { ...CHAT, sandbox: { resetAt: 'before-head', resetWith } } })
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(answer.text).error.code, 'upstream_reset')
    assert.deepEqual(gist(await theRecord(world)), ['upstream_error', 'unknown', null])
  })

  test(`a JSON body that breaks off (${resetWith}) reaches nobody as whole, and is estimated`, async (t) => {
    const world = await startWithEngine(t)
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
      const world = await startWithEngine(t)
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
