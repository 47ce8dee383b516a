import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { BodyRequest, BodyTaker } from './body-request.ts'
import { isNamed } from './end-to-end-headers.ts'
import type { Client, ClientEvents } from './ports.ts'
import type { RawHeaders, Reply, RequestHead } from './types.ts'

/** How long a connection that we close is still read from, so that the client gets to see our reply before a reset. */
const LINGER_MS = 2_000

/** What all connections share. */
export type ConnectionRules = {
  /** Longest time without a byte taken by a client that has bytes to take. */
  readonly stallTimeoutMs: number
  readonly onStall: () => void
  /** True as soon as the server is closing: replies then close their connections. */
  closing: boolean
}

/** One client's connection and the requests on it that have not been answered, oldest first (more than one: pipelined). */
export class Connection {
  readonly socket: Socket
  readonly peer: string
  readonly rules: ConnectionRules
  readonly requests: HttpClient[] = []
  /** Nothing that still comes in is looked at. */
  finished = false

  constructor(socket: Socket, rules: ConnectionRules) {
    this.socket = socket
    this.rules = rules
    const address = socket.remoteAddress ?? ''
    this.peer = address.startsWith('::ffff:') ? address.slice(7) : address
    socket.on('end', () => this.#left(false))
    socket.on('close', () => this.#left(true))
  }

  /** The reply to `request` has been handed to the kernel. */
  answered(request: HttpClient): void {
    const at = this.requests.indexOf(request)
    if (at >= 0) this.requests.splice(at, 1)
    // A reply whose head had gone out before the closing began could not say `connection: close`.
    if (this.rules.closing && this.requests.length === 0) this.socket.destroySoon()
  }

  /** Node's timer ran out: a keep-alive connection without a request, or a client that does not read. */
  timedOut(): void {
    if (this.requests.length === 0) {
      this.socket.destroy()
      return
    }
    this.rules.onStall()
    this.socket.resetAndDestroy()
  }

  /** Ends our side now, and the connection when the client has ended its own or has had time enough to read. */
  linger(): void {
    const { socket } = this
    this.finished = true
    if (socket.destroyed) return
    socket.end(() => {
      if (this.rules.closing) socket.destroy()
    })
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('end', () => socket.destroy())
    socket.once('close', () => clearTimeout(timer))
  }

  /** Closes the connection at once, unless a request on it wants its reply. */
  closeIfIdle(): void {
    const { socket } = this
    // node closes those that wait for their next request by itself, but not those that have never sent a byte.
    if (socket.bytesRead === 0 || (this.finished && socket.writableFinished)) socket.destroy()
  }

  #left(closed: boolean): void {
    for (const request of this.requests.slice()) request.events?.left(closed)
    if (closed) this.requests.length = 0
  }
}

/** One request of a client, on node:http. */
export class HttpClient implements Client, BodyTaker {
  readonly head: RequestHead
  readonly bodyBytes: number
  events: ClientEvents | undefined
  headSent = false
  /** Nobody has begun to answer it: its body is still coming. */
  awaitsBody = false

  readonly #request: BodyRequest
  readonly #response: ServerResponse
  readonly #connection: Connection
  readonly #waitsForContinue: boolean
  #status = 0
  #headers: RawHeaders | undefined
  #blocked = false

  constructor(
    connection: Connection,
    message: { readonly request: BodyRequest; readonly response: ServerResponse; readonly waitsForContinue: boolean },
  ) {
    this.#connection = connection
    this.#request = message.request
    this.#response = message.response
    this.#waitsForContinue = message.waitsForContinue
    const { method = '', url = '', rawHeaders } = message.request
    this.head = { method, target: url, headers: rawHeaders, peer: connection.peer }
    this.bodyBytes = announcedBytes(rawHeaders)
    message.response.on('finish', () => connection.answered(this))
    connection.requests.push(this)
  }

  readBody(): void {
    this.awaitsBody = true
    if (this.#waitsForContinue) this.#response.writeContinue()
    this.#request.taker = this
  }

  bodyChunk(chunk: Buffer): void {
    this.events?.bodyChunk(chunk)
  }

  bodyEnd(): void {
    this.awaitsBody = false
    this.events?.bodyEnd()
  }

  setHead(status: number, headers: RawHeaders): void {
    this.#status = status
    this.#headers = headers
  }

  flush(): void {
    if (this.#headers === undefined) return
    this.#writeHead(this.#headers)
    this.#response.flushHeaders()
  }

  write(chunk: Buffer): boolean {
    if (this.#headers !== undefined) this.#writeHead(this.#headers)
    if (this.#response.write(chunk)) return true
    this.#block()
    return false
  }

  end(chunk: Buffer | undefined): void {
    if (this.#headers !== undefined) this.#writeHead(this.#headers)
    const response = this.#response
    if (chunk === undefined) response.end()
    else response.end(chunk)
    // Not all of it fits into the kernel's buffer: a client that never takes the rest must not keep the connection.
    if (response.socket !== null && response.socket.writableLength > 0) response.socket.setTimeout(this.#connection.rules.stallTimeoutMs)
  }

  reply(reply: Reply, close: boolean): void {
    if (close || this.bodyBytes === 0 || this.#request.complete) {
      this.#reply(reply, close)
      return
    }
    // A small body comes in one piece with its head: it will have been parsed in a moment, and the connection can stay.
    // Not process.nextTick: the parser lets ticks run between the head and the body of one piece.
    setImmediate(() => this.#reply(reply, !this.#request.complete))
  }

  reset(): void {
    const { socket } = this.#connection
    if (!socket.destroyed) socket.resetAndDestroy()
  }

  #reply(reply: Reply, close: boolean): void {
    const response = this.#response
    const { socket } = this.#connection
    if (socket.destroyed || response.headersSent) return
    if (close) {
      response.shouldKeepAlive = false
      this.#connection.finished = true
      // node:http closes at once after the last reply. Bytes that still come in would then be answered with a reset, which
      // can overtake the reply.
      socket.destroySoon = () => this.#connection.linger()
    }
    this.events = undefined
    this.awaitsBody = false
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
    const bodiless = reply.status === 204 || reply.status === 304
    this.#status = reply.status
    this.#writeHead(bodiless ? reply.headers : [...reply.headers, 'Content-Length', String(body.length)])
    this.end(bodiless ? undefined : body)
    if (this.#request.complete) return
    this.#request.taker = undefined
    this.#request.resume()
  }

  #writeHead(headers: RawHeaders): void {
    this.#headers = undefined
    this.headSent = true
    if (this.#connection.rules.closing) this.#response.shouldKeepAlive = false
    // A flat array is written as it stands: order, case and repetition kept. node's type asks for a mutable one.
    this.#response.writeHead(this.#status, headers as string[])
  }

  #block(): void {
    const response = this.#response
    // Behind another reply of the same connection there is nothing to time: that one has its turn.
    response.socket?.setTimeout(this.#connection.rules.stallTimeoutMs)
    if (this.#blocked) return
    this.#blocked = true
    response.once('drain', () => {
      this.#blocked = false
      response.socket?.setTimeout(0)
      this.events?.drained()
    })
  }
}

/** node:http has refused anything ambiguous already: two lengths, a length beside a transfer coding, a bad number. */
function announcedBytes(headers: RawHeaders): number {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (name.length === 14 && isNamed(name, 'content-length')) return Number(headers[i + 1])
    if (name.length === 17 && isNamed(name, 'transfer-encoding')) return -1
  }
  return 0
}
