import type { UpstreamCall, UpstreamEvents } from '../ports.ts'
import type { FailureKind } from '../types.ts'

/** Who carries a call at the moment. */
export type CallCarrier = {
  pause(): void
  resume(): void
  /** Nobody waits for the reply any more. */
  cancel(): void
}

export type CallOptions = {
  readonly events: UpstreamEvents
  readonly pieces: Buffer[]
  readonly bodiless: boolean
  readonly headTimeoutMs: number
  readonly idleTimeoutMs: number
}

/** One request under way: waiting for a connection, or on one. Connections serve many calls, a call has one connection at most. */
export class Call implements UpstreamCall {
  readonly events: UpstreamEvents
  /** Of the request, what has not been written. Taken off as it is written, so that nothing holds a body that is gone. */
  readonly pieces: Buffer[]
  /** A reply to it has no body, whatever its head says. */
  readonly bodiless: boolean
  readonly headTimeoutMs: number
  readonly idleTimeoutMs: number
  carrier: CallCarrier | undefined
  paused = false
  /** It has ended or failed, or nobody waits for it. */
  done = false

  constructor(options: CallOptions) {
    this.events = options.events
    this.pieces = options.pieces
    this.bodiless = options.bodiless
    this.headTimeoutMs = options.headTimeoutMs
    this.idleTimeoutMs = options.idleTimeoutMs
  }

  get waits(): boolean {
    return this.carrier === undefined && !this.done
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.carrier?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.carrier?.resume()
  }

  abort(): void {
    if (this.done) return
    this.done = true
    this.carrier?.cancel()
    this.carrier = undefined
  }

  fail(kind: FailureKind, cause: unknown): void {
    if (this.done) return
    this.done = true
    this.carrier = undefined
    this.events.failed(kind, cause)
  }
}
