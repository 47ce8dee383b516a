import { Deadlines } from '../deadlines.ts'
import type { Transport, UpstreamCall, UpstreamEvents, UpstreamRequest } from '../ports.ts'
import type { Upstream } from '../types.ts'
import { Call } from './upstream-call.ts'
import type { UpstreamConnection } from './upstream-connection.ts'
import { UpstreamNames } from './names.ts'
import { UpstreamPool } from './upstream-pool.ts'
import { encodeRequest } from './upstream-request.ts'

const CONNECTIONS_MAX = 1024
const WAITING_MAX = 1024
const WAIT_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 5_000
const HEAD_TIMEOUT_MS = 600_000
const IDLE_TIMEOUT_MS = 600_000
/** Pools are made for what a routing table names; more than this many are a mistake, and the longest idle one is closed. */
const POOLS_MAX = 256
const POOL_IDLE_MS = 300_000
const NO_PIECES: Buffer[] = []

type PoolEntry = {
  readonly key: string
  readonly pool: UpstreamPool
  /** What `Host` says. */
  readonly host: string
  usedAt: number
  closed: boolean
}

/** The way to upstreams over node:net and node:tls: HTTP/1.1, one request at a time on a connection, http and https. */
export class NetTransport implements Transport {
  readonly #pools = new Map<string, PoolEntry>()
  /** Routes hand in the same object each time: finds the pool without building a key. */
  readonly #known = new WeakMap<Upstream, PoolEntry>()
  #lastUpstream: Upstream | undefined
  #lastEntry: PoolEntry | undefined
  readonly #deadlines = new Deadlines<UpstreamConnection>()
  readonly #names = new UpstreamNames()
  readonly #sweeper: NodeJS.Timeout

  constructor() {
    this.#sweeper = setInterval(() => this.#closeIdle(performance.now() - POOL_IDLE_MS), POOL_IDLE_MS / 5)
    this.#sweeper.unref()
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamCall {
    const { upstream } = request
    const headTimeoutMs = upstream.headTimeoutMs ?? HEAD_TIMEOUT_MS
    const idleTimeoutMs = upstream.idleTimeoutMs ?? IDLE_TIMEOUT_MS
    let entry: PoolEntry
    let pieces: Buffer[]
    try {
      entry = this.#poolFor(upstream)
      pieces = encodeRequest(request, entry.host)
    } catch (error) {
      const failed = new Call({ events, pieces: NO_PIECES, bodiless: false, headTimeoutMs, idleTimeoutMs })
      failed.fail('connect', error)
      return failed
    }
    const call = new Call({ events, pieces, bodiless: request.method === 'HEAD', headTimeoutMs, idleTimeoutMs })
    entry.pool.send(call)
    return call
  }

  close(): Promise<void> {
    clearInterval(this.#sweeper)
    for (const entry of this.#pools.values()) {
      entry.closed = true
      entry.pool.close()
    }
    this.#pools.clear()
    for (const connection of this.#deadlines.all()) connection.destroy()
    this.#deadlines.stop()
    return Promise.resolve()
  }

  #poolFor(upstream: Upstream): PoolEntry {
    // Many requests in a row go to the same place.
    const known = upstream === this.#lastUpstream ? this.#lastEntry : this.#known.get(upstream)
    if (known === undefined || known.closed) return this.#find(upstream)
    known.pool.used = true
    this.#lastUpstream = upstream
    this.#lastEntry = known
    return known
  }

  #find(upstream: Upstream): PoolEntry {
    const connectionsMax = upstream.connectionsMax ?? CONNECTIONS_MAX
    const connectTimeoutMs = upstream.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    for (const ms of [connectTimeoutMs, upstream.headTimeoutMs, upstream.idleTimeoutMs]) if (ms !== undefined) this.#deadlines.expect(ms)
    const { waitingMax = WAITING_MAX, waitTimeoutMs = WAIT_TIMEOUT_MS } = upstream
    const key = `${upstream.origin} ${connectionsMax} ${waitingMax} ${waitTimeoutMs} ${connectTimeoutMs} ${upstream.ca ?? ''}`
    let entry = this.#pools.get(key)
    if (entry === undefined) {
      if (this.#pools.size >= POOLS_MAX) this.#closeLongestIdle()
      const { hostname, host, port, protocol } = new URL(upstream.origin)
      const tls = protocol === 'https:'
      const pool = new UpstreamPool({
        address: {
          host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
          port: port === '' ? (tls ? 443 : 80) : Number(port),
          tls,
          ca: upstream.ca,
          connectTimeoutMs,
          lookup: this.#names.lookup,
        },
        connectionsMax,
        waitingMax,
        waitTimeoutMs,
        deadlines: this.#deadlines,
      })
      entry = { key, pool, host, usedAt: performance.now(), closed: false }
      this.#pools.set(key, entry)
    }
    this.#known.set(upstream, entry)
    return entry
  }

  /** Closes the pools that nobody has used since the last time but one. */
  #closeIdle(usedBefore: number): void {
    for (const entry of this.#pools.values()) {
      if (entry.pool.used || entry.pool.busy) {
        entry.usedAt = performance.now()
        entry.pool.used = false
      } else if (entry.usedAt < usedBefore) this.#drop(entry)
    }
  }

  #closeLongestIdle(): void {
    let oldest: PoolEntry | undefined
    for (const entry of this.#pools.values()) if (!entry.pool.busy && (oldest === undefined || entry.usedAt < oldest.usedAt)) oldest = entry
    if (oldest !== undefined) this.#drop(oldest)
  }

  #drop(entry: PoolEntry): void {
    entry.closed = true
    this.#pools.delete(entry.key)
    entry.pool.close()
  }
}
