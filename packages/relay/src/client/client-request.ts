import type { Socket } from 'node:net'
import type { ChunkedBody } from '../http/chunked-body.ts'
import { joined } from '../http/head-text.ts'
import type { Client, ClientEvents } from '../ports.ts'
import { replyHeadText } from '../http/reply-head-text.ts'
import type { RequestHeadReader } from '../http/request-head.ts'
import type { RawHeaders, Reply, RequestHead } from '../types.ts'

/** The connection that a request came on. */
export type RequestCarrier = {
  readonly socket: Socket
  readonly peer: string
  /** Replies say `connection: close` from now on. */
  readonly closing: boolean
  /** What `Keep-Alive` says: seconds that a connection may be idle. */
  readonly keepAliveSeconds: number
  /** The client takes no more for now. */
  blocked(): void
  /** A reply cannot be written: a bug of whoever made it. */
  faulted(error: unknown): void
  /** The reply has been written to its end. `lingers`: the connection is closed, and the client may still be sending. */
  written(request: ClientRequest, lingers: boolean): void
}

/** Up to this size head, framing and body are copied into one buffer; beyond, they are handed over side by side. */
const JOIN_BYTES_MAX = 16_384
const NO_BYTES = Buffer.alloc(0)
const NO_FIELDS: RawHeaders = []
const CHUNK_END = '\r\n'
const LAST_CHUNK = '0\r\n\r\n'

/** One request of a client and the way to answer it. */
export class ClientRequest implements Client {
  readonly head: RequestHead
  readonly bodyBytes: number
  headSent = false
  events: ClientEvents | undefined
  /** Its body is wanted. */
  wantsBody = false
  /** Of its body, what has not come: bytes, or -1 until the last chunk has come. 0: all has come. */
  bodyLeft: number
  chunks: ChunkedBody | undefined
  /** A reply that waits until it is known whether the body has come along with the head. */
  deferred: Reply | undefined
  /** Whether another request may come after this one. */
  keepsAlive: boolean

  readonly #isOld: boolean
  readonly #waitsForContinue: boolean
  #carrier: RequestCarrier | undefined
  /** What of the head has not been handed on. */
  #headText = ''
  #chunked = false
  #bodiless = false

  constructor(carrier: RequestCarrier, reader: RequestHeadReader) {
    this.#carrier = carrier
    this.head = { method: reader.method, target: reader.target, headers: reader.headers, peer: carrier.peer }
    this.bodyBytes = reader.bodyBytes
    this.bodyLeft = reader.bodyBytes
    this.keepsAlive = reader.keepsAlive
    this.#isOld = reader.isOld
    this.#waitsForContinue = reader.waitsForContinue
  }

  /** Nothing that is said from now on reaches the client. */
  detach(): void {
    this.#carrier = undefined
    this.events = undefined
  }

  readBody(): void {
    this.wantsBody = true
    if (this.#waitsForContinue) this.#carrier?.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  setHead(status: number, headers: RawHeaders, known: RawHeaders): number {
    const { text, length } = replyHeadText({ status, headers }, known)
    const hasLength = length >= 0
    this.#bodiless = status === 204 || status === 304 || this.head.method === 'HEAD'
    this.#chunked = !hasLength && !this.#bodiless && !this.#isOld
    // To HTTP/1.0 only the end of the connection says where such a body ends.
    if (this.#isOld && !hasLength && !this.#bodiless) this.keepsAlive = false
    this.#headText = text
    return this.#bodiless ? -1 : length
  }

  flush(): void {
    const carrier = this.#carrier
    if (carrier !== undefined && this.#headText !== '') carrier.socket.write(this.#takeHead(carrier), 'latin1')
  }

  write(chunk: Buffer): boolean {
    const carrier = this.#carrier
    if (carrier === undefined || this.#bodiless || chunk.length === 0) return true
    if (this.#put(carrier.socket, { before: this.#takeHead(carrier) + this.#sizeOf(chunk), chunk, after: this.#chunked ? CHUNK_END : '' }))
      return true
    carrier.blocked()
    return false
  }

  end(chunk: Buffer | undefined): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    const body = chunk === undefined || this.#bodiless ? NO_BYTES : chunk
    const head = this.#takeHead(carrier)
    const after = this.#chunked ? (body.length > 0 ? CHUNK_END + LAST_CHUNK : LAST_CHUNK) : ''
    this.#put(carrier.socket, { before: body.length > 0 ? head + this.#sizeOf(body) : head, chunk: body, after })
    carrier.written(this, false)
  }

  reply(reply: Reply, close: boolean): void {
    if (!close && this.bodyLeft !== 0) this.deferred = reply
    else this.replyNow(reply, close)
  }

  replyNow(reply: Reply, close: boolean): void {
    const carrier = this.#carrier
    if (carrier === undefined || this.headSent) return
    this.deferred = undefined
    this.events = undefined
    if (close) this.keepsAlive = false
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
    const bodiless = reply.status === 204 || reply.status === 304
    const headers = bodiless ? reply.headers : [...reply.headers, 'Content-Length', String(body.length)]
    try {
      this.#headText = replyHeadText({ status: reply.status, headers }, NO_FIELDS).text
    } catch (error) {
      carrier.faulted(error)
      this.reset()
      return
    }
    this.#chunked = false
    this.#put(carrier.socket, {
      before: this.#takeHead(carrier),
      chunk: bodiless || this.head.method === 'HEAD' ? NO_BYTES : body,
      after: '',
    })
    carrier.written(this, close)
  }

  reset(): void {
    const socket = this.#carrier?.socket
    if (socket !== undefined && !socket.destroyed) socket.resetAndDestroy()
  }

  #sizeOf(chunk: Buffer): string {
    return this.#chunked ? `${chunk.length.toString(16)}\r\n` : ''
  }

  /** What is left of the head, with what it says about the connection. Not before it is written: it may be the last one by then. */
  #takeHead(carrier: RequestCarrier): string {
    if (this.#headText === '') return ''
    if (carrier.closing) this.keepsAlive = false
    const connection = this.keepsAlive
      ? `Connection: keep-alive\r\nKeep-Alive: timeout=${carrier.keepAliveSeconds}\r\n`
      : 'Connection: close\r\n'
    const head = `${this.#headText}${connection}${this.#chunked ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n`
    this.#headText = ''
    this.headSent = true
    return head
  }

  /** One system call for all of it. False: the client takes no more for now. */
  #put(socket: Socket, parts: { readonly before: string; readonly chunk: Buffer; readonly after: string }): boolean {
    const { before, chunk, after } = parts
    if (before === '' && after === '') return chunk.length === 0 || socket.write(chunk)
    if (chunk.length === 0) return socket.write(before + after, 'latin1')
    if (chunk.length <= JOIN_BYTES_MAX) return socket.write(joined(parts))
    socket.cork()
    if (before !== '') socket.write(before, 'latin1')
    const takes = socket.write(chunk)
    const takesMore = after === '' || socket.write(after, 'latin1')
    socket.uncork()
    return takes && takesMore
  }
}
