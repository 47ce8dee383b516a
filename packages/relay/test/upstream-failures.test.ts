import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Decision } from '../src/index.ts'
import { cannedUpstream, dial, listen, OK, portOf, post, rawUpstream, Recorder, startRelay, until } from './support.ts'
import type { TestRelayOptions, Wire } from './support.ts'

async function ask(t: TestContext, options: TestRelayOptions): Promise<{ client: Wire; recorder: Recorder; open: () => number }> {
  const { port, recorders, relay } = await startRelay(t, options)
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  const [recorder] = recorders
  assert.ok(recorder)
  return { client, recorder, open: () => relay.open }
}

test("createRelay() fails with 'connect' when the upstream refuses the connection", async (t) => {
  const server = createServer()
  await listen(t, server)
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  const { client, recorder, open } = await ask(t, { upstreamPort: port })
  assert.deepEqual(recorder.kinds, ['connect'])
  await client.sees('connect')
  assert.match(client.text, /^HTTP\/1\.1 502 /)
  assert.equal(open(), 0)
})

test("createRelay() fails with 'connect' when the upstream's name does not resolve", async (t) => {
  const { recorder } = await ask(t, { upstream: { origin: 'http://nowhere.invalid:80' } })
  assert.deepEqual(recorder.kinds, ['connect'])
})

test("createRelay() fails with 'connect' when the request cannot be asked of an upstream", async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const asks: readonly Partial<Extract<Decision, { kind: 'forward' }>>[] = [
    { headers: ['X-A', 'b\r\nX-Injected: 1'] },
    { headers: ['X-A', 'b\nGET /smuggled HTTP/1.1'] },
    // Its low byte, which is all that latin1 writes, is a line feed.
    { headers: ['X-A', 'b\u010a'] },
    { headers: ['X-A\r\nX-B', 'c'] },
    { target: '/x HTTP/1.1\r\nX-Injected: 1' },
    { target: '/x y' },
    { target: '' },
    { method: 'GET /y' },
    { upstream: { origin: 'http://127.0.0.1:99999' } },
    { upstream: { origin: 'nonsense' } },
  ]
  for (const ask of asks) {
    const recorder = new Recorder()
    const origin = `http://127.0.0.1:${upstream.port}`
    const usual = { upstream: { origin }, method: 'GET', target: '/', headers: [], body: [], ready: Promise.resolve(), exchange: recorder }
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { port } = await startRelay(t, {
      verdict: () => ({ kind: 'read', bodyBytesMax: 10, decide: () => ({ kind: 'forward', ...usual, ...ask }) }),
    })
    // oxlint-disable-next-line no-await-in-loop -- as above
    const client = await dial(t, port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.sees('connect')
    assert.deepEqual(recorder.kinds, ['connect'], JSON.stringify(ask))
  }
  assert.equal(upstream.wires.length, 0)
})

test('createRelay() asks an upstream for OPTIONS *', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.sees('ok')
  assert.match(upstream.wires[0]?.text ?? '', /^OPTIONS \* HTTP\/1\.1\r\n/)
})

test("createRelay() fails with 'reset' when the upstream breaks off before a head", async (t) => {
  for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => wire.socket[how]()))
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { recorder, client } = await ask(t, { upstreamPort: upstream.port })
    assert.deepEqual(recorder.kinds, ['reset'], how)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.sees('reset')
    assert.equal(upstream.wires.length, 1, 'the request is not repeated')
  }
})

test("createRelay() fails with 'reset' when the upstream breaks off inside a head", async (t) => {
  const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => wire.socket.end('HTTP/1.1 200 OK\r\nContent-')))
  const { recorder } = await ask(t, { upstreamPort: upstream.port })
  assert.deepEqual(recorder.calls, ['fail'])
  assert.deepEqual(recorder.kinds, ['reset'])
})

test("createRelay() fails with 'protocol' when the upstream does not speak HTTP", async (t) => {
  for (const reply of [
    'SSH-2.0-OpenSSH_9\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const upstream = await cannedUpstream(t, reply)
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { recorder } = await ask(t, { upstreamPort: upstream.port })
    assert.deepEqual(recorder.calls, ['fail'], reply.slice(0, 60))
    assert.deepEqual(recorder.kinds, ['protocol'], reply.slice(0, 60))
  }
})

test("createRelay() fails with 'protocol' when a chunk is not one", async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense\r\n')
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port })
  assert.deepEqual(recorder.calls, ['head', 'data', 'fail'])
  assert.deepEqual(recorder.kinds, ['protocol'])
  await client.isClosed()
})

test("createRelay() fails with 'reply_reset' when a reply breaks off, and resets the client", async (t) => {
  const beginnings: Readonly<Record<string, string>> = {
    length: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345',
    'length and close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n12345',
    chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
    'chunked and close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
    'inside a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n12345',
  }
  for (const [what, beginning] of Object.entries(beginnings)) {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => wire.send(beginning)))
      // oxlint-disable-next-line no-await-in-loop -- as above
      const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
      // oxlint-disable-next-line no-await-in-loop -- as above
      const client = await dial(t, port)
      client.send(post('{}'))
      // oxlint-disable-next-line no-await-in-loop -- as above
      await client.sees('12345')
      upstream.wires[0]?.socket[how]()
      // oxlint-disable-next-line no-await-in-loop -- as above
      await client.isClosed()
      assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'fail'], `${what}, ${how}`)
      assert.deepEqual(recorders[0]?.kinds, ['reply_reset'], `${what}, ${how}`)
      assert.equal(client.error, 'ECONNRESET', `${what}, ${how}`)
    }
  }
})

test("createRelay() fails with 'connect_timeout' when no connection comes about", async (t) => {
  // TEST-NET-1 (RFC 5737) is routed nowhere; where a machine refuses it at once, the kind says so.
  const { recorder } = await ask(t, { upstream: { origin: 'http://192.0.2.1:80', connectTimeoutMs: 50 } })
  assert.ok(['connect_timeout', 'connect'].includes(recorder.kinds[0] ?? ''))
})

test("createRelay() fails with 'head_timeout' when no head comes", async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port, upstream: { headTimeoutMs: 30 } })
  assert.deepEqual(recorder.kinds, ['head_timeout'])
  await client.sees('head_timeout')
})

test("createRelay() fails with 'idle_timeout' when a reply falls silent", async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port, upstream: { idleTimeoutMs: 30 } })
  assert.deepEqual(recorder.kinds, ['idle_timeout'])
  await client.isClosed()
})

test("createRelay() fails with 'not_admitted' when ready rejects, and the upstream sees nothing", async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const full = new Error('disk full')
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port, ready: () => Promise.reject(full) })
  assert.deepEqual(recorder.failures, [{ kind: 'not_admitted', cause: full, sent: false }])
  await client.sees('not_admitted')
  assert.equal(upstream.wires.length, 0)
})

test('createRelay() takes a reply that ends with its connection', async (t) => {
  const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => wire.socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end')))
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port })
  assert.deepEqual(recorder.calls, ['head', 'data', 'end'])
  await client.sees('0\r\n\r\n')
})

test('createRelay() passes over interim replies', async (t) => {
  const upstream = await cannedUpstream(t, `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`)
  const { recorder, client } = await ask(t, { upstreamPort: upstream.port })
  assert.deepEqual(recorder.calls, ['head', 'data', 'end'])
  await client.sees('ok')
  assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n/)
})

test('createRelay() uses a new connection after the upstream has closed an idle one', async (t) => {
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', () => {
      wire.send(OK)
      wire.socket.end()
    }),
  )
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  for (let i = 1; i <= 3; i += 1) {
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- one request after the other
    await until(`reply ${i} arrives`, () => client.text.split('ok').length === i + 1)
    // oxlint-disable-next-line no-await-in-loop -- the close must have been seen, otherwise the race is lost by right
    await until('the upstream connection is closed', () => upstream.wires[i - 1]?.closed === true || upstream.wires[i - 1]?.ended === true)
  }
  assert.deepEqual(
    recorders.map((recorder) => recorder.calls.at(-1)),
    ['end', 'end', 'end'],
  )
})
