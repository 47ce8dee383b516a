import { Pool } from 'undici'
import type { Dispatcher } from 'undici'
import { isNamed } from './end-to-end-headers.ts'
import { failureKindOf } from './failure-kind.ts'
import type { Transport, UpstreamCall, UpstreamEvents, UpstreamRequest } from './ports.ts'
import type { RawHeaders, Upstream } from './types.ts'
import { upstreamBodyOf } from './upstream-body.ts'

const CONNECTIONS_MAX = 1024
const CONNECT_TIMEOUT_MS = 5_000
const HEAD_TIMEOUT_MS = 600_000
const IDLE_TIMEOUT_MS = 600_000
/** Bytes of an upstream's head. Four times what most servers send at most. */
const HEAD_BYTES_MAX = 65_536
/**
 * An idle connection is given up after this long, when the upstream gives no hint: below the 5 s of uvicorn, node and
 * llama-server, so that hardly a request meets a connection that is just being closed. Such a request is not repeated: the
 * upstream may have begun with it.
 */
const KEEP_ALIVE_MS = 4_000
/** Upper bound where the upstream's `Keep-Alive: timeout=` says more, and the margin below what it says. */
const KEEP_ALIVE_MAX_MS = 60_000
const KEEP_ALIVE_MARGIN_MS = 2_000
/** Pools are made for what a routing table names; more than this many are a mistake, and the longest idle one is closed. */
const POOLS_MAX = 256
const POOL_IDLE_MS = 300_000

type PoolEntry = { readonly key: string; readonly pool: Pool; inFlight: number; usedAt: number; closed: boolean }

/** The way to upstreams over undici: HTTP/1.1, one request at a time on a connection, http and https. */
export class UndiciTransport implements Transport {
  readonly #pools = new Map<string, PoolEntry>()
  /** Routes hand in the same object each time: finds the pool without building a key. */
  readonly #known = new WeakMap<Upstream, PoolEntry>()
  readonly #sweeper: NodeJS.Timeout

  constructor() {
    this.#sweeper = setInterval(() => this.#closeIdle(performance.now() - POOL_IDLE_MS), POOL_IDLE_MS / 5)
    this.#sweeper.unref()
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamCall {
    const entry = this.#poolFor(request.upstream)
    entry.inFlight += 1
    entry.usedAt = performance.now()
    const call = new Call(events, entry)
    const body = upstreamBodyOf(request.body)
    try {
      entry.pool.dispatch(
        {
          path: request.target,
          // undici takes any token; its type lists the common ones.
          method: request.method,
          headers: upstreamHeaders(request.headers, body.declaredBytes),
          // undici takes iterables; its type leaves them out.
          body: body.payload as Buffer | null,
          headersTimeout: request.upstream.headTimeoutMs ?? HEAD_TIMEOUT_MS,
          bodyTimeout: request.upstream.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
        },
        call,
      )
    } catch (error) {
      call.onResponseError(null, error)
    }
    return call
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    const entries = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(
      entries.map((entry) => {
        entry.closed = true
        return entry.pool.destroy()
      }),
    )
  }

  #poolFor(upstream: Upstream): PoolEntry {
    const known = this.#known.get(upstream)
    if (known !== undefined && !known.closed) return known
    const connections = upstream.connectionsMax ?? CONNECTIONS_MAX
    const connectTimeoutMs = upstream.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    const key = `${upstream.origin} ${connections} ${connectTimeoutMs} ${upstream.ca ?? ''}`
    let entry = this.#pools.get(key)
    if (entry === undefined) {
      if (this.#pools.size >= POOLS_MAX) this.#closeLongestIdle()
      const pool = new Pool(upstream.origin, {
        connections,
        pipelining: 1,
        allowH2: false,
        connect: { timeout: connectTimeoutMs, ...(upstream.ca === undefined ? {} : { ca: upstream.ca }) },
        maxHeaderSize: HEAD_BYTES_MAX,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
        keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      })
      entry = { key, pool, inFlight: 0, usedAt: 0, closed: false }
      this.#pools.set(key, entry)
    }
    this.#known.set(upstream, entry)
    return entry
  }

  #closeIdle(usedBefore: number): void {
    for (const entry of this.#pools.values()) if (entry.inFlight === 0 && entry.usedAt < usedBefore) this.#drop(entry)
  }

  #closeLongestIdle(): void {
    let oldest: PoolEntry | undefined
    for (const entry of this.#pools.values())
      if (entry.inFlight === 0 && (oldest === undefined || entry.usedAt < oldest.usedAt)) oldest = entry
    if (oldest !== undefined) this.#drop(oldest)
  }

  #drop(entry: PoolEntry): void {
    entry.closed = true
    this.#pools.delete(entry.key)
    // Nothing is in flight, so there is nobody to tell.
    entry.pool.destroy().catch(() => {})
  }
}

/** One request under way. It is undici's handler and our handle in one object. */
class Call implements Dispatcher.DispatchHandler, UpstreamCall {
  readonly #events: UpstreamEvents
  readonly #entry: PoolEntry
  #controller: Dispatcher.DispatchController | undefined
  #headed = false
  #paused = false
  #done = false

  constructor(events: UpstreamEvents, entry: PoolEntry) {
    this.#events = events
    this.#entry = entry
  }

  pause(): void {
    this.#paused = true
    this.#controller?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#controller?.resume()
  }

  abort(): void {
    if (this.#done) return
    this.#finish()
    // Without a controller the request still waits for a connection: onRequestStart refuses it when its turn comes.
    this.#controller?.abort(new Error('aborted by the relay'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#done) controller.abort(new Error('aborted by the relay'))
  }

  onRequestSent(): void {
    if (!this.#done) this.#events.sent()
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number): void {
    // Interim replies (RFC 9110 section 15.2) are for us alone: the client has been answered 100 already, if it asked.
    if (statusCode < 200 || this.#done) return
    this.#headed = true
    this.#events.head(statusCode, stringsOf(controller.rawHeaders))
    if (this.#paused) controller.pause()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#done) this.#events.data(chunk)
  }

  onResponseEnd(): void {
    if (this.#done) return
    this.#finish()
    this.#events.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: unknown): void {
    if (this.#done) return
    this.#finish()
    const phase = this.#controller === undefined ? 'connecting' : this.#headed ? 'headed' : 'sent'
    this.#events.failed(failureKindOf(error, phase), error)
  }

  #finish(): void {
    this.#done = true
    this.#entry.inFlight -= 1
  }
}

/** undici gives the head's fields as buffers over the bytes it read; latin1 keeps every byte of them. */
function stringsOf(raw: Dispatcher.DispatchController['rawHeaders']): RawHeaders {
  if (!Array.isArray(raw)) return []
  const strings: string[] = []
  for (const field of raw) strings.push(typeof field === 'string' ? field : field.toString('latin1'))
  return strings
}

/** Without what undici writes by itself or refuses to write; `content-length` only where it cannot see the body's length. */
function upstreamHeaders(headers: RawHeaders, declaredBytes: number | undefined): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!isTransports(name)) kept.push(name, headers[i + 1] ?? '')
  }
  if (declaredBytes !== undefined) kept.push('content-length', String(declaredBytes))
  return kept
}

function isTransports(name: string): boolean {
  switch (name.length) {
    case 4:
      return isNamed(name, 'host')
    case 6:
      // The client's wish for 100 (Continue) was granted here; the body goes up with the head.
      return isNamed(name, 'expect')
    case 7:
      return isNamed(name, 'upgrade')
    case 10:
      return isNamed(name, 'connection') || isNamed(name, 'keep-alive')
    case 14:
      return isNamed(name, 'content-length')
    case 17:
      return isNamed(name, 'transfer-encoding')
    default:
      return false
  }
}
