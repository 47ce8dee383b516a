import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { listenOn } from './listen.ts'
import { connectionFault } from './probe.ts'

test('connectionFault() says nothing of a listener, and why of a port that nobody listens on', async () => {
  const server = createServer((socket) => socket.destroy())
  const address = await listenOn(server, { host: '127.0.0.1', port: 0 })
  assert.equal(await connectionFault(address, 2000), undefined)
  await new Promise((resolve) => server.close(resolve))
  assert.match((await connectionFault(address, 2000)) ?? '', /ECONNREFUSED/)
})
