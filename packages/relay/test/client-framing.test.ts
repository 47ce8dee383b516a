import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cannedUpstream, dial, OK, post, startRelay, until } from './support.ts'

/** RFC 9112 sections 2.2, 5.2, 6.1, 6.3 and 11.2: whatever two servers could read differently is refused, or has one meaning. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
  'a length beside a transfer coding': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a transfer coding beside a length': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  'two different lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
  'two equal lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
  'a list of lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello',
  'a signed length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello',
  'a hexadecimal length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello',
  'a negative length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello',
  'a length beyond 64 bits': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello',
  'an empty length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nhello',
  'a coding after chunked': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'an unknown coding': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'the coding identity': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\nhello',
  'chunked twice': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'white space before the colon': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello',
  'a folded line': 'POST / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n',
  'a bare LF after a field': 'POST / HTTP/1.1\r\nHost: a\r\nX-A: b\nContent-Length: 5\r\n\r\nhello',
  'a bare CR in a value': 'POST / HTTP/1.1\r\nHost: a\r\nX-A: b\rContent-Length: 5\r\n\r\nhello',
  'a NUL in a value': 'POST / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n',
  'a bare LF after the request line': 'POST / HTTP/1.1\nHost: a\r\n\r\n',
  'white space before the first field': 'POST / HTTP/1.1\r\n X-A: b\r\nHost: a\r\n\r\n',
  'a chunk size with a sign': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n',
  'a chunk size with a prefix': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n',
  'a chunk size that overflows': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000f\r\na\r\n0\r\n\r\n',
  'a bare LF after a chunk size': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n',
  'a chunk longer than its size': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
  'a length in the trailers': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n',
  'no host': 'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'two hosts': 'POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n',
  'an unknown version': 'POST / HTTP/1.9\r\nHost: a\r\n\r\n',
  'no version': 'POST /\r\nHost: a\r\n\r\n',
  'an unknown method': 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a control character in the target': 'GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n',
  'bytes that are not HTTP': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n',
}

for (const [what, request] of Object.entries(AMBIGUOUS)) {
  test(`createRelay() refuses a request with ${what}`, async (t) => {
    const upstream = await cannedUpstream(t, OK)
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    const client = await dial(t, port)
    client.send(Buffer.from(`${request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, 'latin1'))
    await until('the connection ends', () => client.ended || client.closed)
    assert.match(client.text, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.match(client.text, /\r\nConnection: close\r\n/)
    assert.equal(client.text.split('HTTP/1.1 ').length, 2, 'one reply')
    assert.equal(recorders.length, 0)
    assert.equal(upstream.wires.length, 0, 'the upstream sees nothing')
  })
}

test('createRelay() sends a chunked body up with a length and without trailers', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send('POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n')
  client.send('3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n')
  await client.sees('ok')
  assert.match(upstream.wires[0]?.text ?? '', /\r\ncontent-length: 5\r\n\r\nabcde$/)
  assert.doesNotMatch(upstream.wires[0]?.text ?? '', /transfer-encoding|trailer|X-T|ext/i)
})

test('createRelay() serves pipelined requests one after the other, in their order', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gate = Promise.withResolvers<void>()
  const { port, heads, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder, head) => {
      recorder.onHead = (status, headers) => ({ status, headers: [...headers, 'X-Target', head.target] })
    },
    ready: (head) => (head.target === '/1' ? gate.promise : Promise.resolve()),
  })
  const client = await dial(t, port)
  const requests = Array.from({ length: 20 }, (_none, i) => `GET /${i + 1} HTTP/1.1\r\nHost: a\r\n\r\n`)
  client.send(requests.join(''))
  await until('the first is admitted', () => recorders.length === 1)
  client.send(post('last'))
  gate.resolve()
  await until('all are answered', () => client.text.split('\r\n\r\nok').length === 22)
  const targets = [...client.text.matchAll(/X-Target: (\S+)/g)].map(([, target]) => target)
  assert.deepEqual(targets, [...requests.keys().map((i) => `/${i + 1}`), '/v1/x'])
  assert.equal(heads.length, 21)
})

test('createRelay() holds a bounded number of pipelined bytes, and reads on', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gate = Promise.withResolvers<void>()
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, ready: () => gate.promise })
  const client = await dial(t, port)
  const bodies = 40
  for (let i = 0; i < bodies; i += 1) client.send(post('x'.repeat(500_000)))
  await until('the first is admitted', () => recorders.length === 1)
  assert.ok(client.socket.writableLength > 0, 'the client is not read from')
  gate.resolve()
  await until('all are answered', () => client.text.split('\r\n\r\nok').length === bodies + 1)
})

test('a client that pipelined more than is held, up to the last byte of a request, is never left unread', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    ready: () => gates[recorders.length - 1]?.promise ?? Promise.resolve(),
  })
  const client = await dial(t, port)
  client.send(post('first'))
  await until('the first is admitted', () => recorders.length === 1)
  // More than may wait, and nothing after it.
  client.send(post('x'.repeat(100_000)))
  await until('it has gone out', () => client.socket.writableLength === 0)
  gates[0]?.resolve()
  await until('the second is admitted', () => recorders.length === 2)
  gates[1]?.resolve()
  await until('both are answered', () => client.text.split('\r\n\r\nok').length === 3)
  client.send(post('third'))
  await until('the third is answered', () => client.text.split('\r\n\r\nok').length === 4)
})

test('createRelay() keeps the connections of a client and to an upstream', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  for (let i = 1; i <= 3; i += 1) {
    client.send(post(`{"n":${i}}`))
    // oxlint-disable-next-line no-await-in-loop -- one request after the other
    await until(`reply ${i} arrives`, () => client.text.split('ok').length === i + 1 && recorders.length === i)
  }
  assert.equal(upstream.wires.length, 1)
})

test('createRelay() answers HTTP/1.0 without chunks and closes', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send('GET / HTTP/1.0\r\n\r\n')
  await until('the connection ends', () => client.ended)
  assert.match(client.text, /\r\n\r\nok$/)
  assert.doesNotMatch(client.text, /Transfer-Encoding/i)
})

test('createRelay() keeps a connection of HTTP/1.0 that asks for it, when the length of the reply is known', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  for (let i = 1; i <= 3; i += 1) {
    client.send(i < 3 ? 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n' : 'GET / HTTP/1.0\r\n\r\n')
    // oxlint-disable-next-line no-await-in-loop -- one request after the other
    await until(`reply ${i} arrives`, () => client.text.split('\r\n\r\nok').length === i + 1)
  }
  await client.isClosed()
  assert.deepEqual(client.text.match(/Connection: \S+/g), ['Connection: keep-alive', 'Connection: keep-alive', 'Connection: close'])
})

test('createRelay() closes after a request that says Connection: close, and looks at nothing behind it', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, heads } = await startRelay(t, { upstreamPort: upstream.port })
  for (const option of ['close', 'Close', 'x-a, close']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const client = await dial(t, port)
    client.send(`${post('{}', `Connection: ${option}\r\n`)}GET /late HTTP/1.1\r\nHost: a\r\n\r\n`)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.isClosed()
    assert.match(client.text, /\r\nConnection: close\r\n\r\nok$/)
  }
  assert.deepEqual(
    heads.map(({ target }) => target),
    ['/v1/x', '/v1/x', '/v1/x'],
  )
})

test('createRelay() answers what a client had sent before it ended its side', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gate = Promise.withResolvers<void>()
  const { port, recorders, relay } = await startRelay(t, { upstreamPort: upstream.port, ready: () => gate.promise })
  const client = await dial(t, port)
  client.send(`${post('1')}${post('2')}${post('3')}POST /half`)
  client.socket.end()
  await until('the first is admitted', () => recorders.length === 1)
  gate.resolve()
  await until('the connection ends', () => client.ended || client.closed)
  assert.equal(client.text.split('\r\n\r\nok').length, 4)
  assert.deepEqual(
    recorders.map(({ calls }) => calls),
    [1, 2, 3].map(() => ['gone', 'head', 'data', 'end']),
  )
  assert.equal(relay.open, 0)
})

test('createRelay() reads a request that comes one byte at a time', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, bodies } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  const text = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a="b"\r\nhi\r\n0\r\nX-T: 1\r\n\r\n'
  for (const byte of text) {
    client.send(byte)
    // oxlint-disable-next-line no-await-in-loop -- so that each is a segment of its own
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.sees('ok')
  assert.equal(String(bodies[0]), 'hi')
})

test('createRelay() adds a Date where the upstream gives none', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('ok')
  const [, date = ''] = /\r\nDate: ([^\r]+)\r\n/.exec(client.text) ?? []
  assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000, date)
})

test('createRelay() says 100 (Continue) only once the body is wanted', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
  await client.sees('HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hi')
  await client.sees('ok')
  assert.doesNotMatch(upstream.wires[0]?.text ?? '', /expect/i)
})

test('createRelay() answers a client that waits for 100 (Continue) at once when the verdict is a reply', async (t) => {
  const { port } = await startRelay(t, { verdict: () => ({ kind: 'reply', reply: { status: 401, headers: [], body: 'no' } }) })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
  await until('the connection ends', () => client.ended)
  assert.match(client.text, /^HTTP\/1\.1 401 /)
  assert.match(client.text, /\r\nConnection: close\r\n/)
})

test('createRelay() refuses what it cannot relay', async (t) => {
  const { port, heads } = await startRelay(t, {})
  for (const request of [
    'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 2\r\n\r\n',
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is enough
    const client = await dial(t, port)
    client.send(request)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the connection ends', () => client.ended)
    assert.match(client.text, /^HTTP\/1\.1 501 /, request)
    assert.match(client.text, /unsupported$/)
  }
  assert.equal(heads.length, 0)
})

for (const [how, request] of [
  ['as browsers ask', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['without saying so in Connection', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n'],
  ['behind another offer', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n'],
  ['in a second line', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket/13\r\n\r\n'],
  ['with a body', 'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}'],
  ['in HTTP/1.0', 'GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
] as const) {
  test(`createRelay() refuses a WebSocket, asked for ${how}`, async (t) => {
    const { port, heads } = await startRelay(t, {})
    const client = await dial(t, port)
    client.send(request)
    await until('the connection ends', () => client.ended)
    assert.match(client.text, /^HTTP\/1\.1 501 /)
    assert.match(client.text, /websocket$/)
    assert.equal(heads.length, 0)
  })
}

test('createRelay() ignores an offer of h2c', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n'))
  await client.sees('ok')
  assert.doesNotMatch(upstream.wires[0]?.text ?? '', /h2c|settings/i)
})

test('createRelay() leaves no trace of a client that leaves before its body is whole', async (t) => {
  const { port, heads, recorders, relay } = await startRelay(t, { bodyBytesHeldMax: 10 })
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: each needs the whole budget
    const client = await dial(t, port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789')
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the head is read', () => heads.length > 0)
    client.socket[leave]()
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.isClosed()
    heads.length = 0
  }
  assert.equal(recorders.length, 0)
  assert.equal(relay.open, 0)
})
