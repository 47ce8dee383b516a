import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const CLIENTS = 5_000
/** Measured: 6 KB of node's own for a connection with its half of a head or body. */
const BYTES_EACH_MAX = 16_000
/** What a process that does anything gains and loses by itself. */
const NOISE_BYTES = 24_000_000

test(
  `${CLIENTS} clients that send a byte now and then cost a bounded memory, which does not grow with the bytes`,
  { timeout: 240_000 },
  async (t) => {
    const relay = fork(fileURLToPath(new URL('./slow-clients-relay.ts', import.meta.url)), [], { execArgv: ['--expose-gc'] })
    t.after(() => relay.connected && relay.disconnect())
    const [port] = (await once(relay, 'message')) as [number]
    const memory = async (): Promise<number> => {
      relay.send('memory')
      const [bytes] = (await once(relay, 'message')) as [number]
      return bytes
    }
    const atFirst = await memory()
    const sockets: Socket[] = []
    t.after(() => sockets.forEach((socket) => socket.destroy()))
    for (let i = 0; i < CLIENTS; i += 250) {
      const batch = Array.from({ length: 250 }, () => connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => {}))
      // oxlint-disable-next-line no-await-in-loop -- so many at once, not all
      await Promise.all(batch.map((socket) => once(socket, 'connect')))
      sockets.push(...batch)
    }
    // Half of them are slow in the head, half in a chunked body: of a byte a chunk, which is the dearest.
    for (const [index, socket] of sockets.entries())
      socket.write(
        index % 2 === 0 ? 'POST / HTTP/1.1\r\nHost: a\r\nX-A: ' : 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
    const connected = await memory()
    assert.ok(connected - atFirst < CLIENTS * BYTES_EACH_MAX + NOISE_BYTES, `${(connected - atFirst) / CLIENTS} bytes a client`)
    for (let round = 0; round < 20; round += 1) {
      for (const [index, socket] of sockets.entries()) socket.write(index % 2 === 0 ? 'x' : '1\r\nx\r\n')
      // oxlint-disable-next-line no-await-in-loop -- one round after the other
      await memory()
    }
    const dripped = await memory()
    t.diagnostic(
      `${Math.round((connected - atFirst) / CLIENTS)} bytes a client, ${Math.round((dripped - connected) / CLIENTS)} more after 20 rounds`,
    )
    // Of a body the first small piece takes a room of 16 KiB to gather in: all that is held is counted, whatever the pieces were.
    assert.ok(dripped - connected < (CLIENTS / 2) * 20_000 + NOISE_BYTES, `${(dripped - connected) / CLIENTS} bytes a client more`)
  },
)
