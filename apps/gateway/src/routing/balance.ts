import type { FailureKind, Upstream } from '@ascribe/relay'
import type { UpstreamCredential } from './upstream-credential.ts'

/** One upstream that serves a route. */
export type Place = {
  /** Unique in its route; written into records. At most {@link PLACE_ID_LENGTH_MAX} characters. */
  readonly id: string
  readonly upstream: Upstream
  /** Path in front of the API's own, for example `/v1`. */
  readonly basePath: string
  /** Sent to this upstream. */
  readonly credential?: UpstreamCredential
  /** Its share of the requests, beside the others'. 1 or more. */
  readonly weight: number
}

/** Records have room for so much. */
export const PLACE_ID_LENGTH_MAX = 64

/** When an upstream counts as down, and when as up again. */
export type HealthRule = {
  /** So many failures in a row, of requests or of checks, take it out. */
  readonly failAfter: number
  /** Without checks: it is left alone for so long, more or less a fifth, and then gets one request. Milliseconds. */
  readonly restMs: number
  /** Questions of our own; absent: only requests tell. */
  readonly check?: HealthCheck
}

export type HealthCheck = {
  /** Of a GET, from the root of the upstream. Any status from 200 to 399 is well. */
  readonly path: string
  /** Between two checks, more or less a fifth, so that many gateways do not ask at once. Milliseconds, like the next. */
  readonly intervalMs: number
  readonly timeoutMs: number
  /** So many good checks in a row take it in again. */
  readonly passAfter: number
}

/** What a request is sent to another upstream for, and at whose expense. */
export type RetryRule = {
  /** Upstreams that one request may be sent to, the first one included. 1: no other. */
  readonly attemptsMax: number
  /** Failures and statuses of replies for which it goes elsewhere. What no upstream can have begun goes elsewhere in any case. */
  readonly on: ReadonlySet<FailureKind | number>
  /** Whether an attempt that may have begun, and whose reply nobody got, is estimated and billed. */
  readonly billFailed: boolean
}

/** Several upstreams for one route, or one whose health is looked at. */
export type Balance = {
  readonly places: readonly Place[]
  readonly health: HealthRule
  /** When all are down: `try` them all the same, or `refuse` with 503. */
  readonly allDown: 'try' | 'refuse'
  readonly retry: RetryRule
}
