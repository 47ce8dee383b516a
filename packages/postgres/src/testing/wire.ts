import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { openDatabase } from '../database.ts'
import type { Database, DatabaseOptions } from '../database.ts'

/** A database behind a wire that can be cut: connections break and new ones are refused until it is mended. */
export type Wired = AsyncDisposable & { readonly db: Database; cut(): Promise<void>; mend(): Promise<void> }

/** Opens `target` through a wire of its own, for tests of what happens while a database is away. */
export async function openWired(target: Readonly<DatabaseOptions>): Promise<Wired> {
  const open = new Set<Socket>()
  const keep = (socket: Socket): void => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
  }
  const server = createServer((near) => {
    const far =
      'url' in target
        ? connect(Number(new URL(target.url).port || 5432), new URL(target.url).hostname)
        : connect(join(target.socketDir, `.s.PGSQL.${target.port ?? 5432}`))
    keep(near)
    keep(far)
    near.pipe(far).on('close', () => near.destroy())
    far.pipe(near).on('close', () => far.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = async (): Promise<void> => {
    const closed = server.listening ? once(server, 'close') : undefined
    server.close()
    for (const socket of open) socket.destroy()
    await closed
  }
  const db = openDatabase({ url: urlThrough(target, port), max: 4 })
  return {
    db,
    cut,
    async mend() {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    },
    async [Symbol.asyncDispose]() {
      await cut()
      await db.close()
    },
  }
}

function urlThrough(target: Readonly<DatabaseOptions>, port: number): string {
  if (!('url' in target)) return `postgresql://${encodeURIComponent(target.user)}@127.0.0.1:${port}/${target.database}`
  const url = new URL(target.url)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return url.href
}
