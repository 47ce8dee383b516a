import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, until } from './support.ts'
import type { TestRelay, TestRelayOptions, Wire } from './support.ts'

type Scene = TestRelay & { readonly client: Wire; readonly upstream: Wire }

/** A request that has reached an upstream, which has said nothing. */
async function begin(t: TestContext, options: TestRelayOptions = {}): Promise<Scene> {
  const upstream = await rawUpstream(t, () => {})
  const relay = await startRelay(t, { upstreamPort: upstream.port, ...options })
  const client = await dial(t, relay.port)
  client.send(post('{}'))
  await until('the request reaches the upstream', () => upstream.wires[0]?.text.endsWith('{}') === true)
  const [wire] = upstream.wires
  assert.ok(wire)
  return { ...relay, client, upstream: wire }
}

const BEGIN = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n'

test('createRelay() reads an upstream on after its client has left before the head', async (t) => {
  const { client, upstream, recorders, relay } = await begin(t)
  client.socket.resetAndDestroy()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.send(OK)
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['gone', 'head', 'data', 'end'])
  assert.equal(relay.open, 0)
})

test('createRelay() reads an upstream on after its client has left in mid-stream', async (t) => {
  const { client, upstream, recorders } = await begin(t)
  upstream.send(BEGIN)
  await client.sees('one')
  client.socket.destroy()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.send('3\r\ntwo\r\n0\r\n\r\n')
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'gone', 'data', 'end'])
  assert.equal(recorders[0]?.bytes, 6)
})

test('createRelay() says nothing of a client that leaves after its reply', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('ok')
  client.socket.resetAndDestroy()
  const next = await dial(t, port)
  next.send(post('{}'))
  await next.sees('ok')
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
})

test('createRelay() says nothing of a client that leaves after an early end of its reply', async (t) => {
  const { client, upstream, recorders } = await begin(t, {
    plan: (recorder) => {
      recorder.onData = (chunk, sink) => {
        sink.write(chunk)
        if (chunk.includes('one')) sink.end()
      }
      recorder.onEnd = () => {}
    },
  })
  upstream.send(BEGIN)
  await client.sees('0\r\n\r\n')
  client.socket.resetAndDestroy()
  await client.isClosed()
  upstream.send('0\r\n\r\n')
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
})

test("createRelay() fails with 'drain_exceeded' and cancels the upstream when the drain's time is over", async (t) => {
  const { client, upstream, recorders } = await begin(t, { plan: (recorder) => (recorder.drain = { ms: 20, bytes: 1_000 }) })
  client.socket.destroy()
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['gone', 'fail'])
  assert.deepEqual(recorders[0]?.kinds, ['drain_exceeded'])
  await until('the upstream is cancelled', () => upstream.closed || upstream.ended)
})

test("createRelay() fails with 'drain_exceeded' when more bytes come than the drain allows", async (t) => {
  const { client, upstream, recorders } = await begin(t, { plan: (recorder) => (recorder.drain = { ms: 10_000, bytes: 5 }) })
  upstream.send(BEGIN)
  await client.sees('one')
  client.socket.destroy()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.send('5\r\n12345\r\n')
  await until('the allowed bytes have come', () => recorders[0]?.bytes === 8)
  assert.equal(recorders[0]?.over, false)
  upstream.send('1\r\n6\r\n')
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.equal(recorders[0]?.bytes, 9, 'the chunk that exceeds is still shown: usage may be in it')
  assert.deepEqual(recorders[0]?.kinds, ['drain_exceeded'])
  await until('the upstream is cancelled', () => upstream.closed || upstream.ended)
})

test("createRelay() fails with 'drain_exceeded' when the exchange says that it has seen enough", async (t) => {
  let enough = false
  const { client, upstream, recorders } = await begin(t, {
    plan: (recorder) => (recorder.drain = { ms: 10_000, bytes: 1_000, exceeded: () => enough }),
  })
  upstream.send(BEGIN)
  await client.sees('one')
  client.socket.destroy()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.send('1\r\n1\r\n')
  await until('it is shown', () => recorders[0]?.bytes === 4)
  assert.equal(recorders[0]?.over, false)
  enough = true
  upstream.send('1\r\n2\r\n')
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual([recorders[0]?.kinds, recorders[0]?.bytes], [['drain_exceeded'], 5])
  await until('the upstream is cancelled', () => upstream.closed || upstream.ended)
})

test('createRelay() cancels at once when the drain is nothing', async (t) => {
  for (const drain of [
    { ms: 0, bytes: 0 },
    { ms: 0, bytes: 100 },
    { ms: 1_000, bytes: 0 },
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { client, upstream, recorders } = await begin(t, { plan: (recorder) => (recorder.drain = drain) })
    client.socket.destroy()
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the upstream is cancelled', () => upstream.closed || upstream.ended)
    assert.deepEqual(recorders[0]?.calls, ['gone', 'fail'])
    assert.equal(recorders[0]?.failures[0]?.sent, true)
  }
})

test("createRelay() fails with 'drain_exceeded' when the upstream fails during a drain", async (t) => {
  const { client, upstream, recorders } = await begin(t)
  client.socket.destroy()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.socket.destroy()
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.kinds, ['drain_exceeded'])
  assert.ok(recorders[0]?.failures[0]?.cause instanceof Error)
})

test('createRelay() does not bother the upstream when its client leaves before ready', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gate = Promise.withResolvers<void>()
  const { port, recorders, relay } = await startRelay(t, { upstreamPort: upstream.port, ready: () => gate.promise })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('it is admitted', () => relay.open === 1)
  client.socket.resetAndDestroy()
  await client.isClosed()
  // The relay hears of it before the next request on another connection has been read.
  const other = await dial(t, port)
  other.send(post('{}'))
  await until('the other is admitted', () => recorders.length === 2)
  assert.deepEqual(recorders[0]?.calls, [])
  gate.resolve()
  await other.sees('ok')
  assert.deepEqual(recorders[0]?.calls, ['gone', 'fail'])
  assert.deepEqual(recorders[0]?.kinds, ['drain_exceeded'])
  assert.equal(recorders[0]?.failures[0]?.sent, false, 'whoever is charged for it would be charged for nothing')
  assert.equal(upstream.wires.length, 1)
})

test('createRelay() takes a FIN for leaving, and still gives the reply to a client that reads on', async (t) => {
  const { client, upstream, recorders } = await begin(t)
  client.socket.end()
  await until('the exchange hears of it', () => recorders[0]?.calls.includes('gone') === true)
  upstream.send(BEGIN)
  await client.sees('one')
  upstream.send('3\r\ntwo\r\n0\r\n\r\n')
  await client.isClosed()
  assert.match(client.text, /two\r\n0\r\n\r\n$/)
  assert.deepEqual(recorders[0]?.calls, ['gone', 'head', 'data', 'end'])
})

test('createRelay() closes the connection of a client that sent FIN when the drain is exceeded', async (t) => {
  const { client, recorders } = await begin(t, { plan: (recorder) => (recorder.drain = { ms: 10, bytes: 1_000 }) })
  client.socket.end()
  await client.isClosed()
  assert.deepEqual(recorders[0]?.calls, ['gone', 'fail'])
})

test('createRelay() resets a client that takes nothing for clientStallTimeoutMs, and counts it as gone', async (t) => {
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', () => {
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n')
      wire.send(Buffer.alloc(50_000_000))
    }),
  )
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    clientStallTimeoutMs: 50,
    plan: (recorder) => (recorder.drain = { ms: 0, bytes: 0 }),
  })
  const client = await dial(t, port)
  client.socket.pause()
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'gone', 'fail'])
})
