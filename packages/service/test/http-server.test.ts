import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createHttpServer, listenOn } from '@ascribe/service'

test('a client that begins a request and never ends it does not keep its place until Node looks around', { timeout: 20_000 }, async (t) => {
  const server = createHttpServer({ headBytesMax: 1024, requestTimeoutMs: 50, keepAliveMs: 60_000 })
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  for (const begun of ['', 'GET / HTTP/1.1\r\nX-Slow: ']) {
    const socket = connect(port, '127.0.0.1').resume()
    socket.write(begun)
    await once(socket, 'close')
  }
  assert.equal(server.listening, true)
})
