import type { Deadlines } from '../deadlines.ts'
import { UpstreamReplyError } from '../errors.ts'
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
  /** Most calls that wait for a connection, and how long one does. */
  readonly waitingMax: number
  readonly waitTimeoutMs: number
  readonly deadlines: Deadlines<UpstreamConnection>
}

/**
 * The connections to one upstream. The one that was used last is used next, so that those that are not needed grow old and are
 * closed. Calls that find none wait in their order: so many, for so long.
 */
export class UpstreamPool implements ConnectionOwner {
  readonly address: UpstreamAddress
  tlsSession: Buffer | undefined
  readonly #options: PoolOptions
  readonly #deadlines: Deadlines<UpstreamConnection>
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting: { readonly call: Call; readonly timer: NodeJS.Timeout }[] = []
  #count = 0
  #closed = false
  /** Somebody has asked for it since its owner last looked. */
  used = false

  constructor(options: PoolOptions) {
    this.address = options.address
    this.#options = options
    this.#deadlines = options.deadlines
  }

  /** Whether any call is on a connection or waits for one. */
  get busy(): boolean {
    return this.#count > this.#idle.length || this.#waiting.length > 0
  }

  send(call: Call): void {
    const connection = this.#idle.pop()
    if (connection !== undefined) connection.start(call)
    else if (this.#count < this.#options.connectionsMax) this.#open(call)
    else this.#wait(call)
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
    for (const { call, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      call.fail('connect', undefined)
    }
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

  #wait(call: Call): void {
    const { waitingMax, waitTimeoutMs } = this.#options
    // Whoever has left needs no place.
    for (let at = this.#waiting.length - 1; this.#waiting.length >= waitingMax && at >= 0; at -= 1)
      if (this.#waiting[at]?.call.done === true) clearTimeout(this.#waiting.splice(at, 1)[0]?.timer)
    if (this.#waiting.length >= waitingMax) {
      call.fail('busy', new UpstreamReplyError(`all its connections are in use, and ${waitingMax} requests wait for one`))
      return
    }
    const timer = setTimeout(() => {
      const at = this.#waiting.findIndex((waiting) => waiting.call === call)
      if (at >= 0) this.#waiting.splice(at, 1)
      call.fail('busy', new UpstreamReplyError(`all its connections were in use for ${waitTimeoutMs} ms`))
    }, waitTimeoutMs)
    this.#waiting.push({ call, timer })
  }

  #nextWaiting(): Call | undefined {
    for (;;) {
      const next = this.#waiting.shift()
      if (next === undefined) return undefined
      clearTimeout(next.timer)
      // Nobody may wait any more for one that waited.
      if (!next.call.done) return next.call
    }
  }
}
