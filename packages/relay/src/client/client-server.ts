import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { ClientConnection, peerOf } from './client-connection.ts'
import type { ConnectionRules } from './client-connection.ts'
import { ConnectionBounds } from './connection-bounds.ts'
import type { ConnectionBoundsOptions } from './connection-bounds.ts'
import { Deadlines } from '../deadlines.ts'
import { RelayListenError } from '../errors.ts'
import type { ClientServer } from '../ports.ts'
import type { BoundSocket } from '../types.ts'

export type ClientServerOptions = Omit<ConnectionRules, 'onClosed' | 'closing' | 'retiring'> &
  ConnectionBoundsOptions & {
    readonly host: string
    readonly port: number
    /** Listened on instead of host and port. */
    readonly sockets: readonly BoundSocket[]
  }

/** A TCP keep-alive probe after this long finds clients that vanished without a word while their reply was being made. */
const TCP_KEEP_ALIVE_MS = 60_000
/** Connections that wait to be accepted; the kernel has a bound of its own. */
const BACKLOG = 4_096

/** Listens for clients: HTTP/1.0 and HTTP/1.1 over node:net. Rejects with {@link RelayListenError}. */
export async function listenForClients(options: ClientServerOptions): Promise<ClientServer> {
  const { sockets } = options
  const listener = new ClientListener(options)
  if (sockets.length === 0) await listener.listen({ host: options.host, port: options.port })
  for (const socket of sockets) {
    // oxlint-disable-next-line no-await-in-loop -- a few, once
    await listener.listen(socket)
  }
  return listener
}

class ClientListener implements ClientServer {
  readonly #options: ClientServerOptions
  readonly #servers: Server[] = []
  readonly #rules: ConnectionRules
  readonly #bounds: ConnectionBounds
  readonly #connections = new Deadlines<ClientConnection>()
  #url = ''
  #closed: Promise<unknown> | undefined

  constructor(options: ClientServerOptions) {
    this.#options = options
    this.#bounds = new ConnectionBounds(options)
    this.#rules = {
      ...options,
      closing: false,
      retiring: false,
      onClosed: (connection) => {
        this.#connections.remove(connection)
        this.#bounds.leave(connection.peer)
      },
    }
    for (const ms of [options.headTimeoutMs, options.bodyTimeoutMs, options.keepAliveTimeoutMs]) this.#connections.expect(ms)
  }

  get url(): string {
    return this.#url
  }

  get fds(): readonly number[] {
    return this.#servers.flatMap((server) => fdOf(server) ?? [])
  }

  async listen(where: BoundSocket | { readonly host: string; readonly port: number }): Promise<void> {
    // A client that has ended its side may still be reading.
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS })
    server.on('connection', (socket: Socket) => this.#take(socket))
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: unknown): void => reject(new RelayListenError(this.#options, cause))
      server.once('error', failed)
      const listening = (): void => {
        server.off('error', failed)
        resolve()
      }
      if ('fd' in where) server.listen(where, BACKLOG, listening)
      else server.listen({ ...where, backlog: BACKLOG }, listening)
    })
    this.#servers.push(server)
    if (this.#url === '') this.#url = urlOf(server)
    // Came while it was being closed.
    if (this.#closed !== undefined) server.close()
  }

  retire(): Promise<unknown> {
    this.#rules.retiring = true
    this.#closed ??= Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    for (const connection of this.#connections.all()) connection.retire()
    return this.#closed
  }

  async close(): Promise<void> {
    this.#rules.closing = true
    const closed = this.retire()
    for (const connection of this.#connections.all()) connection.closeIfIdle()
    await closed
    this.#connections.stop()
  }

  destroy(): void {
    for (const { socket } of this.#connections.all()) socket.destroy()
  }

  #take(socket: Socket): void {
    const place = this.#bounds.enter(peerOf(socket))
    if (place === 'none') {
      socket.resetAndDestroy()
      return
    }
    const connection = new ClientConnection(socket, this.#rules)
    this.#connections.add(connection)
    if (place === 'refused') connection.refuse('too_many_connections')
  }
}

function urlOf(server: Server): string {
  const address = server.address() as AddressInfo
  // Nobody can connect to "any address"; from this machine, the loopback is meant.
  const host = address.address === '0.0.0.0' ? '127.0.0.1' : address.address === '::' ? '::1' : address.address
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

/** Node gives no other way to the number; where it is not there, the socket is not handed on. */
function fdOf(server: Server): number | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}
