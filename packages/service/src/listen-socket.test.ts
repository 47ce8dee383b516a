import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isOwnSocket, listenOnSocket } from './listen-socket.ts'

test('nobody else can ever open the socket, and no other file of the process gets its mode', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-socket-'))
  const before = process.umask(0o022)
  try {
    const path = join(folder, 's.sock')
    assert.equal(isOwnSocket(path), false)
    const server = createServer()
    const modes: number[] = []
    const listen = server.listen.bind(server)
    server.listen = ((...args: Parameters<typeof listen>) => {
      const listening = listen(...args)
      modes.push(statSync(path).mode & 0o777)
      return listening
    }) as typeof server.listen
    const masks: number[] = []
    server.on('listening', () => masks.push(process.umask()))
    using _socket = await listenOnSocket(server, path)
    assert.deepEqual({ modes, masks }, { modes: [0o600], masks: [0o022] })
    assert.equal(isOwnSocket(path), true)
    server.close()
  } finally {
    process.umask(before)
    rmSync(folder, { recursive: true, force: true })
  }
})
