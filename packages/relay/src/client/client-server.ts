import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { ClientConnection } from './client-connection.ts'
import type { ConnectionRules } from './client-connection.ts'
import { Deadlines } from '../deadlines.ts'
import { RelayListenError } from '../errors.ts'
import type { ClientServer } from '../ports.ts'

export type ClientServerOptions = Omit<ConnectionRules, 'onClosed' | 'closing'> & {
  readonly host: string
  readonly port: number
}

/** A TCP keep-alive probe after this long finds clients that vanished without a word while their reply was being made. */
const TCP_KEEP_ALIVE_MS = 60_000
/** Connections that wait to be accepted; the kernel has a bound of its own. */
const BACKLOG = 4_096

/** Listens for clients: HTTP/1.0 and HTTP/1.1 over node:net. Rejects with {@link RelayListenError}. */
export async function listenForClients(options: ClientServerOptions): Promise<ClientServer> {
  const { host, port } = options
  // A client that has ended its side may still be reading.
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS })
  const listener = new ClientListener(server, options)
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: unknown): void => reject(new RelayListenError(options, cause))
    server.once('error', failed)
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', failed)
      resolve()
    })
  })
  return listener
}

class ClientListener implements ClientServer {
  readonly #server: Server
  readonly #rules: ConnectionRules
  readonly #connections = new Deadlines<ClientConnection>()

  constructor(server: Server, options: ClientServerOptions) {
    this.#server = server
    this.#rules = { ...options, closing: false, onClosed: (connection) => this.#connections.remove(connection) }
    for (const ms of [options.headTimeoutMs, options.bodyTimeoutMs, options.keepAliveTimeoutMs]) this.#connections.expect(ms)
    server.on('connection', (socket: Socket) => this.#connections.add(new ClientConnection(socket, this.#rules)))
  }

  get url(): string {
    const address = this.#server.address() as AddressInfo
    // Nobody can connect to "any address"; from this machine, the loopback is meant.
    const host = address.address === '0.0.0.0' ? '127.0.0.1' : address.address === '::' ? '::1' : address.address
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
  }

  async close(): Promise<void> {
    this.#rules.closing = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#connections.all()) connection.closeIfIdle()
    await closed
    this.#connections.stop()
  }

  destroy(): void {
    for (const { socket } of this.#connections.all()) socket.destroy()
  }
}
