import { createServer, STATUS_CODES } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { errorCode } from '@ascribe/kit'
import { BodyRequest } from './body-request.ts'
import { isNamed } from './end-to-end-headers.ts'
import { RelayListenError } from './errors.ts'
import { Connection, HttpClient } from './http-client.ts'
import type { ConnectionRules } from './http-client.ts'
import type { Client, ClientEvents, ClientServer, Refuse } from './ports.ts'
import type { Refusal, Reply } from './types.ts'

export type ClientServerOptions = {
  readonly host: string
  readonly port: number
  readonly headerBytesMax: number
  readonly headTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly clientStallTimeoutMs: number
  /** Takes a request whose head is whole. */
  readonly accept: (client: Client) => ClientEvents
  readonly refuse: Refuse
  readonly onStall: () => void
}

/** A TCP keep-alive probe after this long finds clients that vanished without a word while their reply was being made. */
const TCP_KEEP_ALIVE_MS = 60_000

/** Listens for clients on node:http. Rejects with {@link RelayListenError}. */
export async function listenForClients(options: ClientServerOptions): Promise<ClientServer> {
  const server = createServer({
    IncomingMessage: BodyRequest,
    maxHeaderSize: options.headerBytesMax,
    headersTimeout: options.headTimeoutMs,
    // node measures from the first byte of the head.
    requestTimeout: options.headTimeoutMs + options.bodyTimeoutMs,
    connectionsCheckingInterval: Math.max(20, Math.min(1_000, Math.ceil(options.headTimeoutMs / 4))),
    keepAliveTimeout: options.keepAliveTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    noDelay: true,
    insecureHTTPParser: false,
    // Checked here, so that the refusal is ours; node's own check answers without asking anybody.
    requireHostHeader: false,
    // `Upgrade` is an offer that a server may ignore (RFC 9110 section 7.8), as for the h2c that some clients always offer.
    shouldUpgradeCallback: () => false,
  })
  // A client that has ended its side may still be reading. node would end ours at once.
  Object.assign(server, { httpAllowHalfOpen: true })
  const listener = new ClientListener(server, options)
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: unknown): void => reject(new RelayListenError(options, cause))
    server.once('error', failed)
    server.listen(options.port, options.host, () => {
      server.off('error', failed)
      resolve()
    })
  })
  return listener
}

class ClientListener implements ClientServer {
  readonly #server: Server<typeof BodyRequest>
  readonly #options: ClientServerOptions
  readonly #rules: ConnectionRules
  readonly #connections = new Map<Duplex, Connection>()

  constructor(server: Server<typeof BodyRequest>, options: ClientServerOptions) {
    this.#server = server
    this.#options = options
    this.#rules = { stallTimeoutMs: options.clientStallTimeoutMs, onStall: options.onStall, closing: false }
    server.on('connection', (socket) => this.#connected(socket))
    server.on('request', (request, response) => this.#requested(request, response, false))
    server.on('checkContinue', (request, response) => this.#requested(request, response, true))
    server.on('checkExpectation', (request, response) => this.#refuse(request, response, 'unsupported'))
    server.on('connect', (_request, socket) => this.#refuseRaw(socket, 'unsupported'))
    server.on('clientError', (error, socket) => this.#clientFailed(error, socket))
    server.on('timeout', (socket) => this.#connections.get(socket)?.timedOut())
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
    for (const connection of this.#connections.values()) connection.closeIfIdle()
    await closed
  }

  destroy(): void {
    for (const { socket } of this.#connections.values()) socket.destroy()
  }

  #connected(socket: Socket): void {
    this.#connections.set(socket, new Connection(socket, this.#rules))
    socket.on('close', () => this.#connections.delete(socket))
  }

  #requested(request: BodyRequest, response: ServerResponse, waitsForContinue: boolean): void {
    const connection = this.#connections.get(request.socket)
    // What comes after a reply that said `connection: close` is not for us.
    if (connection === undefined || connection.finished) return
    const refusal = faultOf(request)
    if (refusal !== undefined) {
      this.#refuse(request, response, refusal)
      return
    }
    const client = new HttpClient(connection, { request, response, waitsForContinue })
    client.events = this.#options.accept(client)
  }

  #refuse(request: BodyRequest, response: ServerResponse, refusal: Refusal): void {
    const connection = this.#connections.get(request.socket)
    if (connection === undefined || connection.finished) return
    const client = new HttpClient(connection, { request, response, waitsForContinue: false })
    client.reply(this.#options.refuse(refusal), true)
  }

  /** The parser, a timeout or the socket gave a connection up. */
  #clientFailed(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined || connection.finished) return
    const refusal = refusalOf(errorCode(error) ?? '')
    // A reply that is under way, or will be, must not be mixed with ours.
    const answering = connection.requests.some((request) => !request.awaitsBody)
    if (refusal === undefined || answering || !socket.writable) {
      socket.destroy()
      return
    }
    for (const request of connection.requests) request.events?.left(true)
    connection.requests.length = 0
    this.#refuseRaw(socket, refusal)
  }

  #refuseRaw(socket: Duplex, refusal: Refusal): void {
    socket.on('error', () => {})
    socket.write(rawReply(this.#options.refuse(refusal)))
    this.#connections.get(socket)?.linger()
  }
}

/** What node:http lets through and we do not. */
function faultOf(request: BodyRequest): Refusal | undefined {
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor > 1) return 'bad_request'
  const { rawHeaders } = request
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && isNamed(name, 'host')) hosts += 1
    // What a WebSocket carries cannot be followed here; serving such a request as plain HTTP would only mislead.
    else if (name.length === 7 && isNamed(name, 'upgrade') && /websocket/i.test(rawHeaders[i + 1] ?? '')) return 'unsupported'
  }
  // RFC 9112 section 3.2: exactly one Host in HTTP/1.1; two are an attack on whoever reads the other one.
  return hosts > 1 || (hosts === 0 && request.httpVersionMinor === 1) ? 'bad_request' : undefined
}

/** `undefined`: nobody is left to hear it. */
function refusalOf(code: string): Refusal | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'headers_too_large'
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'bad_request'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request_timeout'
    case 'HPE_INVALID_EOF_STATE':
      // The client ended its side in the middle of a request.
      return undefined
    default:
      return code.startsWith('HPE_') ? 'bad_request' : undefined
  }
}

function rawReply(reply: Reply): Buffer {
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
  const lines = [`HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? 'unknown'}`]
  for (let i = 0; i < reply.headers.length; i += 2) lines.push(`${reply.headers[i]}: ${reply.headers[i + 1]}`)
  lines.push(`Date: ${new Date().toUTCString()}`, 'Connection: close', `Content-Length: ${body.length}`, '', '')
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body])
}
