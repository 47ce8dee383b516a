import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dial, post, rawUpstream, startRelay, until } from './support.ts'

const MIB = 1_048_576
const REPLY_BYTES = 300 * MIB
const SECOND_BYTES = 60 * MIB

test('createRelay() holds a bounded part of a 300 MB reply for a client that reads slowly', async (t) => {
  const piece = Buffer.alloc(MIB)
  let sent = 0
  const upstream = await rawUpstream(t, (wire) => {
    const push = (): void => {
      while (sent < REPLY_BYTES) {
        sent += piece.length
        if (!wire.socket.write(piece)) return
      }
    }
    wire.socket.on('drain', push)
    wire.socket.once('data', () => {
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${REPLY_BYTES}\r\n\r\n`)
      push()
    })
  })
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  // Counted, not kept.
  client.socket.removeAllListeners('data')
  let received = 0
  let pauses = 0
  let ahead = 0
  let rssMax = 0
  client.socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    ahead = Math.max(ahead, (recorders[0]?.bytes ?? 0) - received)
    if (received < (pauses + 1) * 20 * MIB) return
    pauses += 1
    rssMax = Math.max(rssMax, process.memoryUsage.rss())
    client.socket.pause()
    setTimeout(() => client.socket.resume(), 10)
  })
  const before = process.memoryUsage.rss()
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  await until('the client has it all', () => received > REPLY_BYTES)
  assert.equal(recorders[0]?.bytes, REPLY_BYTES)
  // Kernel buffers of both connections are part of what is ahead; the relay's own share is some hundred KB.
  assert.ok(ahead < 32 * MIB, `${ahead} bytes ahead of the client`)
  assert.ok(rssMax - before < 100 * MIB, `resident memory grew by ${rssMax - before} bytes`)
})

test('createRelay() stops reading from the upstream while the client reads nothing, and goes on with it', async (t) => {
  let sent = 0
  const upstream = await rawUpstream(t, (wire) => {
    const piece = Buffer.alloc(MIB)
    const push = (): void => {
      while (sent < SECOND_BYTES) {
        sent += piece.length
        if (!wire.socket.write(piece)) return
      }
    }
    wire.socket.on('drain', push)
    wire.socket.once('data', () => {
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SECOND_BYTES}\r\n\r\n`)
      push()
    })
  })
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    // In chunks, which node:http queues in a way of its own.
    plan: (recorder) => (recorder.onHead = (status) => ({ status, headers: [] })),
  })
  const client = await dial(t, port)
  client.socket.pause()
  client.send(post('{}'))
  let last = -1
  let still = 0
  await until('nothing moves any more', () => {
    const bytes = recorders[0]?.bytes ?? 0
    still = bytes === last && bytes > 0 ? still + 1 : 0
    last = bytes
    return still > 50
  })
  assert.ok(last < 32 * MIB, `${last} bytes read`)
  client.socket.removeAllListeners('data')
  client.socket.on('data', () => {})
  client.socket.resume()
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.equal(recorders[0]?.bytes, SECOND_BYTES)
})
