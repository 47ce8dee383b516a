import type { Deadlines } from '../deadlines.ts'
import type { Call } from './upstream-call.ts'
import { UpstreamConnection } from './upstream-connection.ts'
import type { ConnectionOwner, UpstreamAddress } from './upstream-connection.ts'

/**
 * An idle connection is given up after this long, when the upstream gives no hint: below the 5 s of uvicorn, node and
 * llama-server, so that hardly a request meets a connection that is just being closed. Such a request is not repeated: the
 * upstream may have begun with it.
 */
const KEEP_ALIVE_MS = 4_000
/** Upper bound where the upstream's `Keep-Alive: timeout=` says more, and the margin below what it says. */
const KEEP_ALIVE_MAX_MS = 60_000
const KEEP_ALIVE_MARGIN_MS = 2_000

export type PoolOptions = {
  readonly address: UpstreamAddress
  readonly connectionsMax: number
  readonly deadlines: Deadlines<UpstreamConnection>
}

/**
 * The connections to one upstream. The one that was used last is used next, so that those that are not needed grow old and are
 * closed. Calls that find none wait in their order; each has a client's connection behind it, which bounds them.
 */
export class UpstreamPool implements ConnectionOwner {
  readonly address: UpstreamAddress
  tlsSession: Buffer | undefined
  readonly #connectionsMax: number
  readonly #deadlines: Deadlines<UpstreamConnection>
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting: Call[] = []
  #count = 0
  #closed = false
  /** Somebody has asked for it since its owner last looked. */
  used = false

  constructor(options: PoolOptions) {
    this.address = options.address
    this.#connectionsMax = options.connectionsMax
    this.#deadlines = options.deadlines
  }

  /** Whether any call is on a connection or waits for one. */
  get busy(): boolean {
    return this.#count > this.#idle.length || this.#waiting.length > 0
  }

  send(call: Call): void {
    const connection = this.#idle.pop()
    if (connection !== undefined) connection.start(call)
    else if (this.#count < this.#connectionsMax) this.#open(call)
    else this.#waiting.push(call)
  }

  released(connection: UpstreamConnection, idleMs: number): void {
    const ms = idleMs < 0 ? KEEP_ALIVE_MS : Math.min(idleMs - KEEP_ALIVE_MARGIN_MS, KEEP_ALIVE_MAX_MS)
    if (this.#closed || ms <= 0) {
      connection.close()
      return
    }
    connection.rest(ms)
    const next = this.#nextWaiting()
    if (next === undefined) this.#idle.push(connection)
    else connection.start(next)
  }

  gone(connection: UpstreamConnection): void {
    this.#count -= 1
    this.#deadlines.remove(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    if (this.#closed) return
    const next = this.#nextWaiting()
    if (next !== undefined) this.#open(next)
  }

  /** Closes what is idle and takes nothing back. Whoever waits fails. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.slice()) connection.close()
    for (const call of this.#waiting.splice(0)) call.fail('connect', undefined)
  }

  #open(call: Call): void {
    this.#count += 1
    try {
      const connection = new UpstreamConnection(this)
      this.#deadlines.add(connection)
      connection.start(call)
    } catch (error) {
      this.#count -= 1
      call.fail('connect', error)
    }
  }

  #nextWaiting(): Call | undefined {
    for (;;) {
      const call = this.#waiting.shift()
      // Nobody may wait any more for one that waited.
      if (call === undefined || !call.done) return call
    }
  }
}
