import type { Clock } from '@ascribe/kit'
import type { FailureKind, Resend, Retry, Setback } from '@ascribe/relay'
import { ATTEMPTS_MAX } from '@ascribe/usage'
import type { Attempt, Settlement } from '@ascribe/usage'
import type { Place, RetryRule } from './balance.ts'
import { billed } from './bill-attempts.ts'
import type { UpstreamSet } from './upstream-set.ts'

/** Failures after which no upstream can have begun with the request. */
const NOT_BEGUN: ReadonlySet<string> = new Set<FailureKind>(['connect', 'connect_timeout', 'busy'])
/** What says nothing about an upstream: it was our end, or our own bound. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set<FailureKind>(['not_admitted', 'drain_exceeded', 'shutdown', 'busy'])
/** Statuses by which an upstream, or what stands before it, says that it cannot serve. A 500 may be the request's doing, a 429 its caller's. */
const SICK: ReadonlySet<number> = new Set([502, 503, 504])

export type AttemptsOptions = {
  readonly set: UpstreamSet
  /** Where the request goes first. */
  readonly first: Place
  readonly startedAt: number
  readonly clock: Clock
  /** The request as an upstream gets it. */
  readonly requestTo: (place: Place) => Resend
  /** The least number of tokens that its prompt has, by its size. */
  readonly promptTokens: number
  readonly onResend: (from: Place, to: Place, why: string) => void
}

type Failed = Omit<Attempt, 'provenance' | 'meters' | 'billed'> & { readonly mayHaveBegun: boolean }

/** What becomes of one request at the upstreams of its route: says where it goes next, and keeps what is then listed in its record. */
export class Attempts {
  readonly #options: AttemptsOptions
  readonly #tried: Place[]
  readonly #failed: Failed[] = []
  #place: Place
  #startedMs = 0
  #status: number | undefined
  #failure: FailureKind | undefined

  constructor(options: AttemptsOptions) {
    this.#options = options
    this.#place = options.first
    this.#tried = [options.first]
  }

  /** For the relay; `undefined`: this request goes to one upstream. */
  get retry(): Retry | undefined {
    const { attemptsMax, on } = this.#rule
    if (attemptsMax < 2 || this.#options.set.balance.places.length < 2) return undefined
    const isForNotBegun = on.values().every((each) => NOT_BEGUN.has(String(each)))
    return { until: isForNotBegun ? 'sent' : 'head', next: (setback) => this.#next(setback) }
  }

  /** The reply that the client gets has begun. */
  headed(status: number): void {
    this.#status = status
    this.#options.set.report(this.#place, SICK.has(status) ? `it answers ${status}` : undefined)
  }

  /** It failed for good. */
  failed(kind: FailureKind): void {
    // After its head it has been judged, and a client that left says nothing of it.
    if (this.#status === undefined && !NOT_ITS_FAULT.has(kind)) this.#options.set.report(this.#place, kind)
    this.#failure = kind
  }

  /** The settlement with every attempt in it, if there was more than one. */
  settlement(own: Settlement): Settlement {
    if (this.#failed.length === 0) return own
    return billed(own, {
      failed: this.#failed,
      last: {
        upstream: this.#place.id,
        startedMs: this.#startedMs,
        endedMs: this.#sinceStart(own.endedAt),
        ...(this.#status !== undefined && { status: this.#status }),
        ...(this.#failure !== undefined && { failure: this.#failure }),
      },
      promptTokens: this.#rule.billFailed ? this.#options.promptTokens : undefined,
    })
  }

  get #rule(): RetryRule {
    return this.#options.set.balance.retry
  }

  #next(setback: Setback): Resend | undefined {
    const { set, clock, requestTo, onResend } = this.#options
    const isStatus = setback.kind === 'status'
    const mayHaveBegun = isStatus || (setback.sent && !NOT_BEGUN.has(setback.kind))
    if (mayHaveBegun && !this.#rule.on.has(isStatus ? setback.status : setback.kind)) return undefined
    if (this.#tried.length >= Math.min(this.#rule.attemptsMax, ATTEMPTS_MAX)) return undefined
    const next = set.pick(this.#tried)
    if (next === undefined) return undefined
    const why = isStatus ? `it answers ${setback.status}` : setback.kind
    if (isStatus ? SICK.has(setback.status) : !NOT_ITS_FAULT.has(setback.kind)) set.report(this.#place, why)
    const now = this.#sinceStart(clock())
    this.#failed.push({
      upstream: this.#place.id,
      startedMs: this.#startedMs,
      endedMs: now,
      ...(isStatus && { status: setback.status }),
      failure: setback.kind,
      // A refusal by status is the engine's word that it did nothing, as far as it goes: nothing is estimated for it.
      mayHaveBegun: mayHaveBegun && !isStatus,
    })
    onResend(this.#place, next, why)
    this.#place = next
    this.#startedMs = now
    this.#tried.push(next)
    return requestTo(next)
  }

  #sinceStart(at: number): number {
    return Math.max(this.#startedMs, at - this.#options.startedAt)
  }
}
