import type { Socket } from 'node:net'
import { ChunkedBody, joinSpans } from '../http/chunked-body.ts'
import { ClientRequest } from './client-request.ts'
import type { RequestCarrier } from './client-request.ts'
import type { Timed } from '../deadlines.ts'
import { HEAD_BAD, HEAD_MORE } from '../http/head-scan.ts'
import type { Client, ClientEvents, Refuse } from '../ports.ts'
import { RequestHeadReader } from '../http/request-head.ts'
import { ReadTurn } from '../read-turn.ts'
import type { Behind } from '../read-turn.ts'
import type { Refusal } from '../types.ts'

/** How long a connection that we close is still read from, so that the client gets to see our reply before a reset. */
const LINGER_MS = 2_000
/** Fields of a request's head; more is 431. Clients and edges that we know send less than 40. */
const FIELDS_MAX = 128
/** How long a connection of a relay that retires may go without a request: long enough that one which is in use brings its next one. */
const RETIRED_IDLE_MS = 15_000
/** Bytes of later requests that may wait for their turn; beyond, the client is not read from. */
const AHEAD_BYTES_MAX = 65_536
const NO_BYTES = Buffer.alloc(0)

/** What all connections share. */
export type ConnectionRules = {
  readonly headerBytesMax: number
  readonly headTimeoutMs: number
  readonly bodyTimeoutMs: number
  /** How long a body may take before it has to come with so many bytes a second, on average. */
  readonly bodyGraceMs: number
  readonly bodyRateMin: number
  readonly keepAliveTimeoutMs: number
  /** Longest time without a byte taken by a client that has bytes to take. */
  readonly clientStallTimeoutMs: number
  /** Takes a request whose head is whole. */
  readonly accept: (client: Client) => ClientEvents
  readonly refuse: Refuse
  readonly onStall: () => void
  /** A reply could not be written; its connection has been broken. */
  readonly onFault: (error: unknown) => void
  readonly onClosed: (connection: ClientConnection) => void
  /** True as soon as the server takes no new connections: replies then say that theirs is closed. */
  retiring: boolean
  /** True as soon as the server is closing: replies then close their connections, whatever they have said. */
  closing: boolean
}

type State =
  /** Nothing of the next request has come. */
  | 'idle'
  /** A head is coming; or the connection is new. */
  | 'head'
  /** A body is coming. */
  | 'body'
  /** The request is whole, its reply is not. */
  | 'reply'
  /** Nothing that still comes in is looked at. */
  | 'over'

const headReader = new RequestHeadReader()
const spans: number[] = []
const readTurn = new ReadTurn()

/** One client's connection. Requests on it are served one after the other, however early they come. */
export class ClientConnection implements Timed, RequestCarrier, Behind {
  listIndex = -1
  deadlineMs: number
  readonly socket: Socket
  readonly peer: string
  readonly #rules: ConnectionRules
  #state: State = 'head'
  #request: ClientRequest | undefined
  /** What has come in this turn of the event loop. */
  #unread: Buffer | undefined
  /** Bytes that have come and not been read: the beginning of a head, or requests that wait for their turn. */
  #stash: Buffer | undefined
  #consuming = false
  #blocked = false
  #halfClosed = false
  /** When the body began to come, and how much of it has. */
  #bodyAt = 0
  #bodyBytes = 0

  constructor(socket: Socket, rules: ConnectionRules) {
    this.socket = socket
    this.#rules = rules
    this.peer = peerOf(socket)
    this.deadlineMs = performance.now() + rules.headTimeoutMs
    socket.on('data', (bytes: Buffer) => this.#came(bytes))
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#ended())
    socket.on('timeout', () => this.#stalled())
    socket.on('error', () => {
      // 'close' comes next.
    })
    socket.on('close', () => this.#closed())
  }

  get closing(): boolean {
    return this.#rules.retiring
  }

  get keepAliveSeconds(): number {
    return Math.floor(this.#rules.keepAliveTimeoutMs / 1_000)
  }

  blocked(): void {
    this.#blocked = true
    this.socket.setTimeout(this.#rules.clientStallTimeoutMs)
  }

  faulted(error: unknown): void {
    this.#rules.onFault(error)
  }

  written(request: ClientRequest, lingers: boolean): void {
    if (request !== this.#request) return
    if (lingers) {
      this.#linger()
    } else if (this.socket.writableLength === 0) {
      this.#answered(request)
    } else {
      // Not all of it fits into the kernel's buffer: a client that never takes the rest must not keep the connection.
      this.socket.setTimeout(this.#rules.clientStallTimeoutMs)
      this.socket.write(NO_BYTES, () => {
        this.socket.setTimeout(0)
        if (request === this.#request) this.#answered(request)
      })
    }
  }

  timedOut(): void {
    // Something has come after all.
    if (this.#unread !== undefined) return
    if (this.#state === 'idle') this.socket.destroy()
    else this.#refuse('request_timeout')
  }

  /** Turns it away. Only a new one. */
  refuse(refusal: Refusal): void {
    this.#refuse(refusal)
  }

  /** It may bring one more request, soon. */
  retire(): void {
    if (this.#state === 'idle') this.deadlineMs = Math.min(this.deadlineMs, performance.now() + RETIRED_IDLE_MS)
  }

  /** Closes the connection at once, unless a request on it wants its reply. */
  closeIfIdle(): void {
    this.catchUp()
    const isNew = this.#state === 'head' && this.#stash === undefined
    if (this.#state === 'idle' || isNew || (this.#state === 'over' && this.socket.writableFinished)) this.socket.destroy()
  }

  catchUp(): void {
    const bytes = this.#unread
    if (bytes === undefined) return
    this.#unread = undefined
    this.#read(bytes)
  }

  #came(bytes: Buffer): void {
    this.catchUp()
    this.#unread = bytes
    readTurn.later(this)
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'over') return
    if (this.#state === 'reply') {
      this.#stash = this.#stash === undefined ? bytes : Buffer.concat([this.#stash, bytes])
      if (this.#stash.length > AHEAD_BYTES_MAX) this.socket.pause()
      return
    }
    this.#consume(bytes)
  }

  /** Reads as many requests as there are, until one has to be answered first. */
  #consume(read: Buffer): void {
    const bytes = this.#stash === undefined ? read : Buffer.concat([this.#stash, read])
    this.#stash = undefined
    this.#consuming = true
    let at = 0
    while (at < bytes.length && this.#state !== 'over') {
      if (this.#state === 'reply') {
        this.#stash = bytes.subarray(at)
        break
      }
      const next = this.#state === 'body' ? this.#readBody(bytes, at) : this.#readHead(bytes, at)
      if (next < 0) break
      at = next
    }
    this.#consuming = false
  }

  /** Gives where the head ends; -1: it does not yet, or there is nothing more to read. */
  #readHead(bytes: Buffer, at: number): number {
    const end = bytes.length
    const next = headReader.read(bytes, { at, end })
    if (next === HEAD_BAD) return this.#refuse('bad_request')
    if ((next === HEAD_MORE ? end : next) - at > this.#rules.headerBytesMax) return this.#refuse('headers_too_large')
    if (next === HEAD_MORE) {
      // Empty lines alone begin nothing: the connection goes on being as idle as it was.
      if (headReader.startsAt === end) return -1
      this.#stash = at === 0 ? bytes : bytes.subarray(at)
      if (this.#state === 'idle') this.deadlineMs = performance.now() + this.#rules.headTimeoutMs
      this.#state = 'head'
      return -1
    }
    this.deadlineMs = 0
    const request = new ClientRequest(this, headReader)
    this.#request = request
    if (headReader.headers.length > 2 * FIELDS_MAX) return this.#refuse('headers_too_large')
    if (headReader.isUnsupported) return this.#refuse('unsupported')
    if (headReader.isWebSocket) return this.#refuse('websocket')
    this.#state = request.bodyBytes === 0 ? 'reply' : 'body'
    const events = this.#rules.accept(request)
    // It may have been answered by now.
    if (this.#request === request) this.#accepted(request, events, next < end)
    return next
  }

  /** The body's whole time, or less where it does not keep up. */
  get #bodyDeadlineMs(): number {
    const { bodyTimeoutMs, bodyGraceMs, bodyRateMin } = this.#rules
    return this.#bodyAt + Math.min(bodyTimeoutMs, bodyGraceMs + (this.#bodyBytes * 1_000) / bodyRateMin)
  }

  #accepted(request: ClientRequest, events: ClientEvents, more: boolean): void {
    request.events = events
    if (this.#halfClosed) events.left(false)
    if (this.#state !== 'body') return
    if (request.bodyBytes < 0) request.chunks = new ChunkedBody()
    this.#bodyAt = performance.now()
    this.#bodyBytes = 0
    this.deadlineMs = this.#bodyDeadlineMs
    if (request.deferred !== undefined && !more) this.#replySoon(request)
  }

  #readBody(bytes: Buffer, at: number): number {
    const request = this.#request
    if (request === undefined) return -1
    let bodyEnd: number
    let chunk: Buffer | undefined
    if (request.chunks === undefined) {
      bodyEnd = Math.min(bytes.length, at + request.bodyLeft)
      request.bodyLeft -= bodyEnd - at
      chunk = at === 0 && bodyEnd === bytes.length ? bytes : bytes.subarray(at, bodyEnd)
    } else {
      spans.length = 0
      bodyEnd = request.chunks.read(bytes, { at, end: bytes.length }, spans)
      chunk = joinSpans(bytes, spans)
      if (request.chunks.bad) return this.#refuse('bad_request')
      if (request.chunks.done) request.bodyLeft = 0
    }
    if (request.deferred !== undefined) {
      if (request.bodyLeft === 0) request.replyNow(request.deferred, false)
      else this.#replySoon(request)
      return bodyEnd
    }
    if (chunk !== undefined) {
      this.#bodyBytes += chunk.length
      request.events?.bodyChunk(chunk)
    }
    if (request !== this.#request) return bodyEnd
    if (request.bodyLeft !== 0) {
      this.deadlineMs = this.#bodyDeadlineMs
      return bodyEnd
    }
    this.#state = 'reply'
    this.deadlineMs = 0
    request.events?.bodyEnd()
    return bodyEnd
  }

  /** A small body follows its head at once: it will have been read in a moment, and the connection can stay. */
  #replySoon(request: ClientRequest): void {
    setImmediate(() => {
      this.catchUp()
      if (request.deferred !== undefined && request === this.#request) request.replyNow(request.deferred, request.bodyLeft !== 0)
    })
  }

  /** The reply to `request` has been handed to the kernel. */
  #answered(request: ClientRequest): void {
    this.#request = undefined
    request.detach()
    // A reply whose head had gone out before the closing began could not say `connection: close`.
    if (!request.keepsAlive || this.#rules.closing) {
      this.#state = 'over'
      this.deadlineMs = 0
      this.socket.destroySoon()
      return
    }
    this.#state = 'idle'
    this.deadlineMs = performance.now() + (this.#rules.retiring ? RETIRED_IDLE_MS : this.#rules.keepAliveTimeoutMs)
    if (this.#stash === undefined && !this.#halfClosed) return
    // Not from here: requests that have come all at once would be answered one inside the other.
    if (!this.#consuming) setImmediate(() => this.#goOn())
  }

  #goOn(): void {
    const stash = this.#stash
    this.#stash = undefined
    if (this.#isIn('idle') && stash !== undefined) this.#consume(stash)
    if (this.#isIn('over')) return
    // Also while a request waits for its reply: nobody would do it later if nothing was left over.
    if (this.socket.isPaused() && this.#aheadBytes <= AHEAD_BYTES_MAX) this.socket.resume()
    if (this.#halfClosed && !this.#isIn('reply')) this.socket.destroySoon()
  }

  get #aheadBytes(): number {
    return this.#stash?.length ?? 0
  }

  #isIn(state: State): boolean {
    return this.#state === state
  }

  #refuse(refusal: Refusal): -1 {
    const request = this.#request ?? new ClientRequest(this, NO_HEAD)
    request.events?.left(true)
    this.#request = request
    request.replyNow(this.#rules.refuse(refusal), true)
    return -1
  }

  /** Ends our side now, and the connection when the client has ended its own or has had time enough to read. */
  #linger(): void {
    const { socket } = this
    this.#state = 'over'
    this.deadlineMs = 0
    this.#request?.detach()
    this.#request = undefined
    this.#stash = undefined
    if (socket.destroyed) return
    socket.end(() => {
      if (this.#rules.closing) socket.destroy()
    })
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('end', () => socket.destroy())
    socket.once('close', () => clearTimeout(timer))
    if (this.#halfClosed) socket.destroySoon()
    else socket.resume()
  }

  #drained(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.socket.setTimeout(0)
    this.#request?.events?.drained()
  }

  #stalled(): void {
    this.#rules.onStall()
    this.socket.resetAndDestroy()
  }

  #ended(): void {
    this.catchUp()
    this.#halfClosed = true
    this.#request?.events?.left(false)
    // In the middle of a request nothing can be made of it; between requests it says goodbye.
    if (this.#state === 'head' || this.#state === 'body') this.socket.destroy()
    else if (this.#state === 'idle') this.socket.destroySoon()
  }

  #closed(): void {
    this.catchUp()
    const request = this.#request
    const events = request?.events
    this.#state = 'over'
    this.#request = undefined
    this.#stash = undefined
    this.deadlineMs = 0
    request?.detach()
    events?.left(true)
    this.#rules.onClosed(this)
  }
}

/** The address of the other side; an IPv4 address that is mapped into IPv6 is unmapped. */
export function peerOf(socket: Socket): string {
  const address = socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** What is known of a request that was refused before its head was whole. */
const NO_HEAD = new RequestHeadReader()
