import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, textReply, until } from './support.ts'
import type { TestRelay, TestRelayOptions, Wire } from './support.ts'

async function begin(t: TestContext, options: TestRelayOptions = {}): Promise<TestRelay & { client: Wire; upstream: Wire }> {
  const upstream = await rawUpstream(t, () => {})
  const relay = await startRelay(t, { upstreamPort: upstream.port, ...options })
  const client = await dial(t, relay.port)
  client.send(post('{}'))
  await until('the request reaches the upstream', () => upstream.wires[0]?.text.endsWith('{}') === true)
  const [wire] = upstream.wires
  assert.ok(wire)
  return { ...relay, client, upstream: wire }
}

test('close() closes idle connections at once and refuses new ones', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, relay } = await startRelay(t, { upstreamPort: upstream.port })
  const fresh = await dial(t, port)
  const used = await dial(t, port)
  used.send(post('{}'))
  await used.sees('ok')
  await relay.close({ graceMs: 60_000 })
  await fresh.isClosed()
  await used.isClosed()
  await assert.rejects(dial(t, port), { code: 'ECONNREFUSED' })
})

test('close() waits for a reply, which closes its connection', async (t) => {
  const { client, upstream, relay, recorders } = await begin(t)
  const closed = relay.close({ graceMs: 60_000 })
  upstream.send(OK)
  await closed
  await client.sees('\r\n\r\nok')
  assert.match(client.text, /\r\nConnection: close\r\n/)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
  assert.equal(relay.open, 0)
})

test('close() closes the connection of a reply whose head had promised to keep it', async (t) => {
  const { client, upstream, relay } = await begin(t)
  upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none')
  await client.sees('one')
  const closed = relay.close({ graceMs: 60_000 })
  upstream.send('two')
  await closed
  await client.isClosed()
  assert.match(client.text, /Connection: keep-alive\r\n[^]*onetwo$/)
})

test("close() fails a request before its head with 'shutdown' when the grace is over", async (t) => {
  const { client, upstream, relay, recorders } = await begin(t)
  await relay.close({ graceMs: 10 })
  assert.deepEqual(recorders[0]?.calls, ['fail'])
  assert.deepEqual(recorders[0]?.kinds, ['shutdown'])
  await client.sees('shutdown')
  assert.match(client.text, /^HTTP\/1\.1 502 [^]*Connection: close/)
  await until('the upstream is cancelled', () => upstream.closed || upstream.ended)
})

test("close() fails a stream with 'shutdown' when the grace is over, and resets it", async (t) => {
  const { client, upstream, relay, recorders } = await begin(t)
  upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none')
  await client.sees('one')
  await relay.close({ graceMs: 0 })
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'fail'])
  await client.isClosed()
  assert.equal(client.error, 'ECONNRESET')
})

test("close() fails with 'shutdown' what is not yet ready, and what drains", async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const gate = Promise.withResolvers<void>()
  const { port, relay, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    ready: (head) => (head.target === '/wait' ? gate.promise : Promise.resolve()),
  })
  const waiting = await dial(t, port)
  waiting.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('it is admitted', () => relay.open === 1)
  const leaving = await dial(t, port)
  leaving.send(post('{}'))
  await until('the other is up', () => upstream.wires[0]?.text.endsWith('{}') === true)
  leaving.socket.destroy()
  await until('the exchange hears of it', () => recorders[1]?.calls.includes('gone') === true)
  await relay.close({ graceMs: 0 })
  assert.deepEqual(recorders[0]?.calls, ['fail'])
  assert.deepEqual(recorders[1]?.calls, ['gone', 'fail'])
  assert.deepEqual([...(recorders[0]?.kinds ?? []), ...(recorders[1]?.kinds ?? [])], ['shutdown', 'shutdown'])
  gate.resolve()
  assert.equal(relay.open, 0)
})

test('close() cuts the grace short on abort', async (t) => {
  const { relay, recorders } = await begin(t)
  const abort = new AbortController()
  const closed = relay.close({ graceMs: 60_000, abort: abort.signal })
  abort.abort()
  await closed
  assert.deepEqual(recorders[0]?.kinds, ['shutdown'])
})

test('close() is idempotent, and a second call may cut the grace of the first', async (t) => {
  const { relay, recorders } = await begin(t)
  const first = relay.close({ graceMs: 60_000 })
  await relay.close({ graceMs: 0 })
  await first
  await relay.close({ graceMs: 60_000 })
  assert.deepEqual(recorders[0]?.kinds, ['shutdown'])
})

test('close() waits for barriers, and the client gets what they held', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { client, relay, recorders } = await begin(t, {
    plan: (recorder) => {
      recorder.onFail = (_failure, sink) => {
        sink.barrier(gate.promise)
        sink.reply(textReply(503, 'settled'))
      }
    },
  })
  const closed = relay.close({ graceMs: 0 })
  await until('the exchange is over', () => recorders[0]?.over === true)
  let done = false
  void closed.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(done, false)
  gate.resolve()
  await closed
  await client.sees('settled')
})

test('close() does not wait for a body that is still coming once the grace is over', async (t) => {
  const { port, relay, heads, recorders } = await startRelay(t, {})
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
  await until('the head is read', () => heads.length === 1)
  await relay.close({ graceMs: 0 })
  await client.isClosed()
  assert.equal(recorders.length, 0)
})

test('createRelay() says where it cannot listen', async (t) => {
  const { port } = await startRelay(t, {})
  await assert.rejects(startRelay(t, { port }), { code: 'RELAY_LISTEN', message: new RegExp(`127\\.0\\.0\\.1:${port}`) })
})

test('retire() cuts nobody: a connection may bring one more request, and its reply says that it was the last', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, relay, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const [streaming, idle] = [await dial(t, port), await dial(t, port)]
  idle.send(post('{}'))
  await until('it is up', () => upstream.wires[0]?.text.endsWith('{}') === true)
  upstream.wires[0]?.send(OK)
  await idle.sees('\r\n\r\nok')
  streaming.send(post('{"stream":true}'))
  await until('it is up too', () => upstream.wires[0]?.text.endsWith('{"stream":true}') === true)
  upstream.wires[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await streaming.sees('Connection: keep-alive\r\n')
  await streaming.sees('hello')

  const retired = relay.retire()
  // Its client reads that the connection is kept, and may be sending the next request already.
  upstream.wires[0]?.send('world')
  await streaming.sees('helloworld')
  streaming.send(post('{"stream":false}'))
  idle.send(post('{"idle":true}'))
  await until('both are up', () => recorders.length === 4 && upstream.wires.length === 2)
  for (const wire of upstream.wires) wire.send(OK)
  for (const client of [streaming, idle]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await client.isClosed()
    assert.match(client.text, /\r\nConnection: close\r\n[^]*ok$/)
    assert.equal(client.error, undefined)
  }
  await retired
  assert.deepEqual(
    recorders.map(({ calls }) => calls.at(-1)),
    ['end', 'end', 'end', 'end'],
  )
})

test('retire() accepts nobody, and close() ends it', async (t) => {
  const { port, relay } = await startRelay(t, {})
  const idle = await dial(t, port)
  idle.send('GET / HT')
  const retired = relay.retire()
  await assert.rejects(dial(t, port), { code: 'ECONNREFUSED' })
  await relay.close({ graceMs: 0 })
  await retired
  await idle.isClosed()
})
