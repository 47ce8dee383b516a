import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { listenOn, urlOf } from './listen.ts'
import { exchangeRaw } from './raw-exchange.ts'

/** Answers every connection with these bytes, in pieces, and remembers what it was told. */
async function saying(pieces: readonly string[], isEnding = true): Promise<AsyncDisposable & { readonly origin: string; heard: string }> {
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      world.heard += chunk.toString('latin1')
      for (const piece of pieces) socket.write(piece)
      if (isEnding) socket.end()
    })
    socket.on('error', () => {})
  })
  const world = {
    origin: urlOf(await listenOn(server, { host: '127.0.0.1', port: 0 })),
    heard: '',
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return world
}

test('exchangeRaw() says what it is told and gives the first final reply, however its body is framed', async () => {
  for (const reply of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'grü'.normalize(), 'HTTP/1.1 400 No\r\n\r\n'],
    ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngr\r\n', '2;x=y\r\nü\r\n0\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\n\r\ngrü'],
  ]) {
    await using server = await saying(reply)
    const { status, body } = await exchangeRaw({ origin: server.origin, bytes: Buffer.from('GET / HTTP/1.1\r\nx : y\r\n\r\n') })
    assert.deepEqual([status, body.slice(0, 3)], [200, 'grü'])
    assert.equal(server.heard, 'GET / HTTP/1.1\r\nx : y\r\n\r\n')
  }
})

test('exchangeRaw() does not wait for the end of a connection whose reply is whole', async () => {
  await using server = await saying(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'], false)
  assert.deepEqual(await exchangeRaw({ origin: server.origin, bytes: Buffer.from('x') }), { status: 200, body: 'ok' })
})

test('exchangeRaw() gives status 0 when the connection ends without a reply, and throws when nobody is there or nothing comes', async () => {
  await using silent = await saying([])
  assert.deepEqual(await exchangeRaw({ origin: silent.origin, bytes: Buffer.from('x') }), { status: 0, body: '' })
  const { origin } = silent
  await silent[Symbol.asyncDispose]()
  await assert.rejects(exchangeRaw({ origin, bytes: Buffer.from('x') }), { code: 'HTTP_CALL_FAILED' })
  await using hanging = await saying(['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'], false)
  await assert.rejects(exchangeRaw({ origin: hanging.origin, bytes: Buffer.from('x'), timeoutMs: 50 }), /no whole reply within 50 ms/)
})
