import type { CallStep } from './faults.ts'

/** One call that the sandbox got, and what it made of it. There is never a token, a secret or a body in it. */
export type LoggedCall = {
  /** Counted from 1. */
  readonly n: number
  /** When it came, RFC 3339 by the sandbox's clock. */
  readonly at: string
  readonly step: CallStep
  readonly method: string
  readonly path: string
  /** The query, for what is asked of lists; no secret travels there. */
  readonly query: string
  readonly host: string
  readonly kind: 'oauth' | 'direct' | 'other' | 'unknown'
  readonly region?: string
  /** The client of a token request. */
  client?: string
  /** Who it acted as, or who was to be impersonated. */
  user?: string
  /** Whose token it was, where that is not who it acted as: the wrong host. */
  tokenOf?: string
  /** Absent while it is open, and for a connection that was broken off. */
  status?: number
  /** Milliseconds by the sandbox's clock. */
  ms?: number
  requestId?: string
  /** The fault that had it. */
  fault?: number
  /** What the call changed of the account's running cost: nano-units of its currency an hour, a decimal string. */
  costNanoPerHour?: string
}

const CALLS_MAX = 50_000

/** The last calls, oldest first, in bounded memory. */
export class CallLog {
  readonly #calls: LoggedCall[] = []
  #next = 1

  add(call: Omit<LoggedCall, 'n'>): LoggedCall {
    const logged = { ...call, n: this.#next++ }
    this.#calls.push(logged)
    if (this.#calls.length > CALLS_MAX) this.#calls.splice(0, CALLS_MAX / 10)
    return logged
  }

  list(): readonly LoggedCall[] {
    return [...this.#calls]
  }

  clear(): void {
    this.#calls.length = 0
  }
}
