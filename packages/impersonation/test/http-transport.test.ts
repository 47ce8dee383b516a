import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { callStep } from '../src/call-step.ts'
import { createHttpTransport } from '../src/http-transport.ts'
import { BODY_BYTES_MAX, TransportError } from '../src/wire.ts'
import { listen } from './support/loopback.ts'
import { refusalOf } from './support/world.ts'

const never = (): AbortSignal => new AbortController().signal
const wireTo = (url: string): { method: 'POST'; url: URL; headers: Record<string, string>; body: string } => ({
  method: 'POST',
  url: new URL(url),
  headers: { authorization: 'Bearer canary' },
  body: 'a=b',
})

test('createHttpTransport() keeps its connection for the next request (keycloak-24913)', async () => {
  await using server = await listen((_request, response) => void response.end('{}'))
  using transport = createHttpTransport()
  for (let round = 0; round < 3; round += 1) await transport({ ...wireTo(`http://127.0.0.1:${server.port}/`), signal: never() })
  assert.equal(server.connections, 1)
})

test('createHttpTransport() follows no redirect, and so sends no secret to where it points (H-20)', async () => {
  await using evil = await listen((_request, response) => void response.end('{}'))
  await using server = await listen((_request, response) => void response.end())
  using transport = createHttpTransport()
  for (const status of [301, 302, 303, 307, 308]) {
    server.handle = (_request, response) => void response.writeHead(status, { location: `http://127.0.0.1:${evil.port}/` }).end()
    const error = await refusalOf(callStep('impersonate', wireTo(`http://127.0.0.1:${server.port}/`), { transport }), 'redirect')
    assert.deepEqual([error.retryable, error.status], [false, status])
  }
  assert.equal(evil.received.length, 0)
})

test('createHttpTransport() finds names below localhost at home, without a resolver (RFC 6761)', async () => {
  await using server = await listen((_request, response) => void response.end('{}'))
  using transport = createHttpTransport()
  await transport({ ...wireTo(`http://direct.zrh.localhost:${server.port}/x`), signal: never() })
  assert.equal(server.received[0]?.host, `direct.zrh.localhost:${server.port}`)
})

test('createHttpTransport() sends nothing in plain text beyond loopback, whoever built the address (H-21)', async () => {
  using transport = createHttpTransport()
  for (const url of ['http://10.0.0.1/', 'http://cloud.example/', 'http://user@127.0.0.1/', 'ftp://127.0.0.1/'])
    await assert.rejects(
      transport({ ...wireTo(url), signal: never() }),
      (error) => error instanceof TransportError && /REFUSED/.test(error.what),
    )
})

test('createHttpTransport() refuses a body without end, and one that was cut short', async () => {
  await using server = await listen((_request, response) => void response.end('x'.repeat(BODY_BYTES_MAX + 1)))
  using transport = createHttpTransport()
  const url = `http://127.0.0.1:${server.port}/`
  await refusalOf(callStep('rpt', wireTo(url), { transport }), 'answer_invalid')
  server.handle = (_request, response, socket) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"access_token":"half', () => socket.destroy())
  }
  await refusalOf(callStep('rpt', wireTo(url), { transport }), 'network')
})

test('callStep() ends a step that hangs at its deadline, connection and all (R-6)', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await listen((_request, _response, socket) => void socket.once('close', () => closed.resolve()))
  using transport = createHttpTransport()
  const error = await refusalOf(
    callStep('impersonate', wireTo(`http://127.0.0.1:${server.port}/slow`), { transport, timeoutMs: 50 }),
    'timeout',
  )
  assert.deepEqual(
    [error.retryable, error.message],
    [true, `Cannot impersonate the owner at http://127.0.0.1:${server.port}/slow: no whole answer within 50 ms`],
  )
  await closed.promise
})

test('callStep() ends a step whose answer never ends, at the same deadline', async () => {
  await using server = await listen((_request, response) => void response.writeHead(200).write('{"access'))
  using transport = createHttpTransport()
  await refusalOf(callStep('rpt', wireTo(`http://127.0.0.1:${server.port}/`), { transport, timeoutMs: 50 }), 'timeout')
})

test('callStep() ends with the reason of its caller when that leaves', async () => {
  await using server = await listen(() => {})
  using transport = createHttpTransport()
  const leaving = new AbortController()
  const sent = callStep('rpt', wireTo(`http://127.0.0.1:${server.port}/`), { transport, signal: leaving.signal })
  leaving.abort(new Error('caller left'))
  await assert.rejects(sent, /caller left/)
})

test('callStep() says what kept it from connecting, and never what it sent', async () => {
  using transport = createHttpTransport()
  const error = await refusalOf(callStep('service_token', wireTo('http://127.0.0.1:1/realms/x'), { transport }), 'network')
  assert.equal(error.message, 'Cannot get a service-account token at http://127.0.0.1:1/realms/x: ECONNREFUSED')
  assert.equal(error.cause, undefined)
})

test('createHttpTransport() sends again, once, what went into a connection that the other side had just closed', async () => {
  await using server = await listen((_request, response) => void response.end('{}'))
  using transport = createHttpTransport()
  const url = `http://127.0.0.1:${server.port}/`
  await transport({ ...wireTo(url), signal: never() })
  let resets = 1
  const answer = server.handle
  server.handle = (request, response, socket) => (resets-- > 0 ? void socket.resetAndDestroy() : answer(request, response, socket))
  assert.equal((await transport({ ...wireTo(url), signal: never() })).status, 200)
  assert.equal(server.connections, 2)
})

test('createHttpTransport() does not send again what a new connection lost: it may have been read', async () => {
  await using server = await listen((_request, _response, socket) => void socket.resetAndDestroy())
  using transport = createHttpTransport()
  await assert.rejects(transport({ ...wireTo(`http://127.0.0.1:${server.port}/`), signal: never() }), TransportError)
  assert.equal(server.received.length, 1)
})

test('createHttpTransport() keeps what a broken server sends out of its errors', async () => {
  const server = createServer((socket) => void socket.end('HTTP/9.9 canary canary\r\n\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  using transport = createHttpTransport()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  await assert.rejects(transport({ ...wireTo(url), signal: never() }), (error: Error) => {
    assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /canary/)
    return error instanceof TransportError
  })
  server.close()
})
