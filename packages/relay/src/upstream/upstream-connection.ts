import { connect, isIP } from 'node:net'
import type { LookupFunction, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { errorCode } from '@ascribe/kit'
import { ChunkedBody, joinSpans } from '../http/chunked-body.ts'
import type { Timed } from '../deadlines.ts'
import { UpstreamReplyError } from '../errors.ts'
import { HEAD_BAD, HEAD_MORE } from '../http/head-scan.ts'
import { ReplyHeadReader } from '../http/reply-head.ts'
import type { Framing } from '../http/reply-head.ts'
import { ReadTurn } from '../read-turn.ts'
import type { Behind } from '../read-turn.ts'
import type { Call, CallCarrier } from './upstream-call.ts'
import type { FailureKind } from '../types.ts'

/** Where a pool's connections go. */
export type UpstreamAddress = {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly ca: string | undefined
  readonly connectTimeoutMs: number
  /** How `host` is resolved where it is a name. */
  readonly lookup: LookupFunction
}

export type ConnectionOwner = {
  readonly address: UpstreamAddress
  /** What the last TLS connection was given to begin the next one with less work (RFC 8446 section 2.2). */
  tlsSession: Buffer | undefined
  /** Its reply is whole; it may be used again for `idleMs` (-1: the upstream does not say). */
  released(connection: UpstreamConnection, idleMs: number): void
  /** It is closed, or will be used no more. */
  gone(connection: UpstreamConnection): void
}

/** Bytes of an upstream's head. Four times what most servers send at most. */
const HEAD_BYTES_MAX = 65_536
/** Fields of an upstream's head, without those of the connection. */
const FIELDS_MAX = 256
/** Interim replies (RFC 9110 section 15.2) before the one that counts. */
const INTERIM_MAX = 32
const READ_BYTES = 65_536
/** A TCP keep-alive probe after this long finds upstreams that vanished without a word. */
const TCP_KEEP_ALIVE_MS = 60_000

/**
 * What every connection is read into, one after the other, and copied out of at once. A buffer of 64 KiB for each read, as a stream makes
 * them, costs more than the copy.
 */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
const headReader = new ReplyHeadReader()
const spans: number[] = []
const readTurn = new ReadTurn()

type State = 'connecting' | 'head' | 'body' | 'idle' | 'closed'

/** One connection to an upstream: HTTP/1.1, one request at a time. */
export class UpstreamConnection implements Timed, CallCarrier, Behind {
  listIndex = -1
  deadlineMs = 0
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  #state: State = 'connecting'
  #call: Call | undefined
  /** What has come in this turn of the event loop. */
  #unread: Buffer | undefined
  /** The beginning of a head whose end has not come. */
  #stash: Buffer | undefined
  #interims = 0
  #framing: Framing = 'none'
  #left = 0
  #chunks: ChunkedBody | undefined
  #keepsAlive = false
  #idleMs = -1

  constructor(owner: ConnectionOwner) {
    this.#owner = owner
    const { address } = owner
    this.deadlineMs = performance.now() + address.connectTimeoutMs
    this.#socket = open(owner, (length) => this.#came(length))
    this.#socket.on(address.tls ? 'secureConnect' : 'connect', () => this.#connected())
    this.#socket.on('drain', () => this.#write())
    this.#socket.on('end', () => this.#ended())
    this.#socket.on('error', (error) => this.#broken(error))
    this.#socket.on('close', () => this.#broken(undefined))
  }

  /** Sends `call` as soon as it can. Only on a connection that is new or idle. */
  start(call: Call): void {
    this.#call = call
    call.carrier = this
    if (this.#state !== 'connecting') this.#begin()
  }

  /** Is used by nobody until `start`, for this long at most. */
  rest(ms: number): void {
    this.#state = 'idle'
    this.deadlineMs = performance.now() + ms
  }

  pause(): void {
    if (this.#state === 'body') this.deadlineMs = 0
    this.#socket.pause()
  }

  resume(): void {
    const call = this.#call
    if (this.#state === 'body' && call !== undefined) this.deadlineMs = performance.now() + call.idleTimeoutMs
    this.#socket.resume()
  }

  cancel(): void {
    this.#call = undefined
    this.close()
  }

  /** Breaks what is under way. */
  destroy(): void {
    this.#fail('reset', new UpstreamReplyError('the relay has closed its connections'))
  }

  timedOut(): void {
    // Something has come after all.
    if (this.#unread !== undefined) return
    switch (this.#state) {
      case 'connecting':
        return this.#fail('connect_timeout', new UpstreamReplyError('no connection came about in time'))
      case 'head':
        return this.#fail('head_timeout', new UpstreamReplyError('its head did not come in time'))
      case 'body':
        return this.#fail('idle_timeout', new UpstreamReplyError('its body fell silent'))
      default:
        return this.close()
    }
  }

  #connected(): void {
    if (this.#state === 'connecting') this.#begin()
  }

  #begin(): void {
    this.#state = 'head'
    this.#interims = 0
    if (this.#call?.paused === true) this.#socket.pause()
    this.#write()
  }

  /** Writes what is left of the request, as far as the upstream takes it. */
  #write(): void {
    const call = this.#call
    if (call === undefined || this.#state === 'connecting' || call.pieces.length === 0) return
    if (this.#state === 'head') this.deadlineMs = performance.now() + call.headTimeoutMs
    for (let piece = call.pieces.shift(); piece !== undefined; piece = call.pieces.shift())
      if (!this.#socket.write(piece) && call.pieces.length > 0) return
    call.events.sent()
  }

  catchUp(): void {
    const bytes = this.#unread
    if (bytes === undefined) return
    this.#unread = undefined
    const call = this.#call
    if (call !== undefined) this.#read(call, bytes)
  }

  /** `length` bytes have come into {@link readBuffer}. */
  #came(length: number): void {
    const call = this.#call
    const bytes = Buffer.allocUnsafe(length)
    readBuffer.copy(bytes, 0, 0, length)
    this.catchUp()
    if (call === undefined || call !== this.#call) {
      // Nothing was asked when it came: whatever this is, it is not the reply to the next request.
      this.#fail('protocol', new UpstreamReplyError('it says more than its reply'))
      return
    }
    this.#unread = bytes
    readTurn.later(this)
  }

  #read(call: Call, read: Buffer): void {
    if (this.#state === 'body') {
      // What came before it was paused may be read after that.
      if (!call.paused) this.deadlineMs = performance.now() + call.idleTimeoutMs
      this.#readBody(call, read, { at: 0, end: read.length })
      return
    }
    const bytes = this.#stash === undefined ? read : Buffer.concat([this.#stash, read])
    const end = bytes.length
    this.#stash = undefined
    const bodyAt = this.#readHead(call, bytes, end)
    if (bodyAt < 0) return
    call.events.head(headReader.status, headReader.headers)
    if (this.#call !== call) return
    if (this.#framing === 'none') this.#finish(call, bodyAt === end)
    else if (bodyAt < end) this.#readBody(call, bytes, { at: bodyAt, end })
    if (this.#call === call) call.events.headAlone()
  }

  /** Gives where the body begins; -1: it does not yet, or never will. */
  #readHead(call: Call, bytes: Buffer, end: number): number {
    let at = 0
    for (;;) {
      const next = headReader.read(bytes, { at, end, bodiless: call.bodiless })
      if (next === HEAD_BAD) return this.#refuse(headReader.fault)
      if ((next === HEAD_MORE ? end : next) - at > HEAD_BYTES_MAX) return this.#refuse('its head is too long')
      if (next === HEAD_MORE) {
        this.#stash = bytes.subarray(at, end)
        return -1
      }
      if (headReader.headers.length > 2 * FIELDS_MAX) return this.#refuse('its head has too many fields')
      at = next
      // For us alone: the client has been answered 100 already, if it asked.
      if (headReader.status >= 200) break
      this.#interims += 1
      if (this.#interims > INTERIM_MAX) return this.#refuse('it says too often that the reply will come')
      if (at === end) return -1
    }
    this.#state = 'body'
    this.#framing = headReader.framing
    this.#left = headReader.length
    this.#keepsAlive = headReader.keepsAlive
    this.#idleMs = headReader.idleMs
    if (this.#framing === 'chunked') {
      this.#chunks ??= new ChunkedBody()
      this.#chunks.reset()
    }
    this.deadlineMs = call.paused ? 0 : performance.now() + call.idleTimeoutMs
    return at
  }

  #readBody(call: Call, bytes: Buffer, range: { readonly at: number; readonly end: number }): void {
    const { at, end } = range
    let bodyEnd = end
    let isWhole = false
    spans.length = 0
    if (this.#framing === 'chunked' && this.#chunks !== undefined) {
      bodyEnd = this.#chunks.read(bytes, range, spans)
      isWhole = this.#chunks.done
    } else {
      if (this.#framing === 'length') {
        bodyEnd = Math.min(end, at + this.#left)
        this.#left -= bodyEnd - at
        isWhole = this.#left === 0
      }
      spans.push(at, bodyEnd)
    }
    const chunk = joinSpans(bytes, spans)
    if (chunk !== undefined) call.events.data(chunk)
    if (this.#call !== call) return
    if (isWhole) this.#finish(call, bodyEnd === end)
    else if (this.#framing === 'chunked' && this.#chunks?.bad === true) this.#refuse('its body is not made of chunks')
  }

  /** The reply is whole. `clean`: nothing came after it. */
  #finish(call: Call, clean: boolean): void {
    this.#call = undefined
    call.carrier = undefined
    call.done = true
    this.deadlineMs = 0
    if (call.paused) this.#socket.resume()
    // A reply that overtook its own request leaves a connection on which the rest of that request would have to follow.
    if (this.#keepsAlive && clean && call.pieces.length === 0) this.#owner.released(this, this.#idleMs)
    else this.close()
    call.events.end()
  }

  #ended(): void {
    this.catchUp()
    const call = this.#call
    if (call !== undefined && this.#state === 'body' && this.#framing === 'close') this.#finish(call, false)
    else this.#broken(undefined)
  }

  #broken(cause: Error | undefined): void {
    this.catchUp()
    if (this.#state === 'closed') return
    const timedOut = cause !== undefined && errorCode(cause) === 'ETIMEDOUT'
    const kind: FailureKind =
      this.#state === 'connecting' ? (timedOut ? 'connect_timeout' : 'connect') : this.#state === 'body' ? 'reply_reset' : 'reset'
    this.#fail(kind, cause ?? new UpstreamReplyError('it closed the connection'))
  }

  #refuse(what: string): -1 {
    this.#fail('protocol', new UpstreamReplyError(what))
    return -1
  }

  #fail(kind: FailureKind, cause: unknown): void {
    const call = this.#call
    this.#call = undefined
    this.close()
    call?.fail(kind, cause)
  }

  /** Ends it. Nobody must be waiting for a reply on it. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.deadlineMs = 0
    this.#stash = undefined
    this.#unread = undefined
    this.#socket.destroy()
    this.#owner.gone(this)
  }
}

function open(owner: ConnectionOwner, read: (length: number) => void): Socket {
  const { address, tlsSession } = owner
  const { host, port, ca, lookup } = address
  const options = {
    host,
    port,
    lookup,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    // A reply that ends with its connection is whole when the upstream's side ends.
    allowHalfOpen: true,
    onread: {
      buffer: readBuffer,
      callback: (length: number): boolean => {
        read(length)
        return true
      },
    },
  }
  if (!address.tls) return connect(options)
  // RFC 6066 section 3: an address is no server name.
  const servername = isIP(host) === 0 ? host : ''
  const socket = connectTls({
    ...options,
    servername,
    ALPNProtocols: ['http/1.1'],
    ...(ca !== undefined && { ca }),
    ...(tlsSession !== undefined && { session: tlsSession }),
  })
  socket.on('session', (session: Buffer) => {
    // Only of one whom we have believed to be who it is.
    if (socket.authorized) owner.tlsSession = session
  })
  return socket
}
