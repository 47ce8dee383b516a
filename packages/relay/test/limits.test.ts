import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, textReply, until } from './support.ts'
import type { Wire } from './support.ts'

async function isRefused(client: Wire, status: number): Promise<void> {
  await until('the connection ends', () => client.ended)
  assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(client.text, /\r\nConnection: close\r\n/)
}

test('createRelay() answers 431 when the head is longer than headerBytesMax', async (t) => {
  const { port, heads } = await startRelay(t, { headerBytesMax: 1_000 })
  const client = await dial(t, port)
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(1_000)}\r\n\r\n`)
  await isRefused(client, 431)
  assert.match(client.text, /headers_too_large$/)
  assert.equal(heads.length, 0)
})

test('createRelay() takes a head just below headerBytesMax', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { headerBytesMax: 1_000, upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(900)}\r\n\r\n`)
  await client.sees('ok')
})

test('createRelay() answers 408 when a head does not end within headTimeoutMs', async (t) => {
  const { port } = await startRelay(t, { headTimeoutMs: 50 })
  const silent = await dial(t, port)
  const slow = await dial(t, port)
  slow.send('GET / HTTP/1.1\r\nHost: a\r\nX-')
  await isRefused(slow, 408)
  await isRefused(silent, 408)
})

test('createRelay() answers 408 when a body does not end within bodyTimeoutMs', async (t) => {
  const { port, relay } = await startRelay(t, { headTimeoutMs: 50, bodyTimeoutMs: 50 })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
  await isRefused(client, 408)
  assert.equal(relay.open, 0)
})

test('createRelay() waits for an upstream as long as it likes, whatever headTimeoutMs and bodyTimeoutMs say', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await startRelay(t, { headTimeoutMs: 40, bodyTimeoutMs: 40, upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the request reaches the upstream', () => upstream.wires[0]?.text.endsWith('{}') === true)
  // Proves that the timeouts have been looked at: one that does nothing is refused meanwhile.
  await isRefused(await dial(t, port), 408)
  await isRefused(await dial(t, port), 408)
  upstream.wires[0]?.send(OK)
  await client.sees('ok')
})

test('createRelay() answers 413 from Content-Length alone', async (t) => {
  const { port } = await startRelay(t, { bodyBytesMax: 10 })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n')
  await isRefused(client, 413)
})

test('createRelay() does not say 100 (Continue) to a body that is too long', async (t) => {
  const { port } = await startRelay(t, { bodyBytesMax: 10 })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n')
  await isRefused(client, 413)
})

test('createRelay() answers 413 as soon as a chunked body exceeds bodyBytesMax', async (t) => {
  const { port, relay } = await startRelay(t, { bodyBytesMax: 10 })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n')
  await isRefused(client, 413)
  assert.equal(relay.open, 0)
})

test('createRelay() takes a body of exactly bodyBytesMax', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, bodies } = await startRelay(t, { bodyBytesMax: 10, upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234')
  client.send('56789')
  await client.sees('ok')
  assert.equal(String(bodies[0]), '0123456789')
})

test('createRelay() lets a client that is still sending see its 413', async (t) => {
  const { port } = await startRelay(t, { bodyBytesMax: 10 })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n')
  client.send(Buffer.alloc(8_388_608))
  await isRefused(client, 413)
  assert.equal(client.error, undefined, 'no reset overtook the reply')
})

test('createRelay() answers 503 when all bodies together exceed bodyBytesHeldMax, and recovers', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { bodyBytesHeldMax: 10, upstreamPort: upstream.port })
  const first = await dial(t, port)
  first.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12345678')
  const second = await dial(t, port)
  await until('the first body is held and the second refused', () => {
    if (!second.ended && second.socket.bytesWritten === 0) second.send(post('123'))
    return second.ended || second.text.length > 0
  })
  first.send('9')
  await first.sees('ok')
  const third = await dial(t, port)
  third.send(post('1234567890'))
  await third.sees('ok')
})

test('createRelay() gives body bytes back when the upstream has them, not when it has answered', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await startRelay(t, { bodyBytesHeldMax: 10, upstreamPort: upstream.port })
  const first = await dial(t, port)
  first.send(post('1234567890'))
  await until('the first is up', () => upstream.wires[0]?.text.endsWith('1234567890') === true)
  const second = await dial(t, port)
  second.send(post('abcdefghij'))
  await until('the second is up', () => upstream.wires[1]?.text.endsWith('abcdefghij') === true)
})

test('createRelay() keeps the connection after a verdict when the small body has come with its head', async (t) => {
  const { port } = await startRelay(t, { verdict: () => ({ kind: 'reply', reply: textReply(401, 'who?') }) })
  const client = await dial(t, port)
  client.send(post('{"small":true}'))
  await client.sees('who?')
  assert.match(client.text, /\r\nConnection: keep-alive\r\n/)
  client.send(post('{"again":true}'))
  await until('the second reply arrives', () => client.text.split('who?').length === 3)
})

test('createRelay() closes after a verdict whose body has not come', async (t) => {
  const { port, heads } = await startRelay(t, { verdict: () => ({ kind: 'reply', reply: textReply(401, 'who?') }) })
  const client = await dial(t, port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n')
  await until('the connection ends', () => client.ended)
  assert.match(client.text, /\r\nConnection: close\r\n/)
  // What follows belongs to the body, and whatever comes after it is not a request.
  client.send(`${'x'.repeat(40)}GET /late HTTP/1.1\r\nHost: a\r\n\r\n`)
  client.socket.end()
  await client.isClosed()
  assert.equal(heads.length, 1)
})

test('createRelay() takes empty lines between requests for nothing', async (t) => {
  const { port, heads } = await startRelay(t, {
    headTimeoutMs: 50,
    keepAliveTimeoutMs: 60_000,
    verdict: () => ({ kind: 'reply', reply: textReply(200, 'x') }),
  })
  const client = await dial(t, port)
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n')
  await until('the first is answered', () => heads.length === 1)
  client.send('\r\n')
  // Proves that the time-outs have been looked at.
  await isRefused(await dial(t, port), 408)
  await isRefused(await dial(t, port), 408)
  client.send('\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('the second is answered', () => heads.length === 2)
  assert.doesNotMatch(client.text, / 408 /)
})

test('createRelay() closes a connection that has had no request for keepAliveTimeoutMs', async (t) => {
  const { port } = await startRelay(t, { keepAliveTimeoutMs: 20, verdict: () => ({ kind: 'reply', reply: textReply(200, 'x') }) })
  const client = await dial(t, port)
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('the connection ends', () => client.ended || client.closed)
})
