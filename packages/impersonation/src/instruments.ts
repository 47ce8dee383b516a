import { silentMeters } from '@ascribe/kit'
import type { Counter, Gauge, Histogram, Labels } from '@ascribe/kit'

/** Where instruments come from: that of `@ascribe/kit`, or anything of this shape. */
export type TokenMeters = {
  counter(name: string, help: string): Counter
  gauge(name: string, help: string): Gauge
  histogram(name: string, help: string, options: { readonly buckets: readonly number[] }): Histogram
  /** Calls `collect` before every scrape, where there is such a thing; otherwise gauges are set by the sweep. */
  beforeRender?(collect: () => void): void
}

/** All that is counted. No label names a user: that is what audit records are for. */
export type Instruments = {
  readonly requests: Counter
  readonly requestSeconds: Histogram
  readonly hits: Counter
  readonly misses: Counter
  readonly evictions: Counter
  readonly entries: Gauge
  readonly sizeBytes: Gauge
  readonly refreshes: Counter
  readonly refreshInflight: Gauge
  readonly waiters: Gauge
  readonly secondsToExpiry: Gauge
  readonly denied: Counter
  readonly throttled: Counter
  readonly auditFailures: Counter
  readonly breaker: Gauge
}

/** Loopback answers in 10 ms, step 3 has been seen to take a minute. */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

export function createInstruments(meters: TokenMeters = silentMeters): Instruments {
  return {
    requests: meters.counter('ascribe_token_requests_total', 'Requests of minting, by step and outcome: ok, or the reason of the failure'),
    requestSeconds: meters.histogram('ascribe_token_request_duration_seconds', 'Time of one request of minting, by step', {
      buckets: BUCKETS,
    }),
    hits: meters.counter('ascribe_token_cache_hits_total', 'Tokens that were handed out of the cache'),
    misses: meters.counter('ascribe_token_cache_misses_total', 'Callers that found no usable token in the cache'),
    evictions: meters.counter('ascribe_token_cache_evictions_total', 'Tokens that left the cache, by reason'),
    entries: meters.gauge('ascribe_token_cache_entries', 'Tokens in the cache'),
    sizeBytes: meters.gauge('ascribe_token_cache_bytes', 'Estimated memory of the cache'),
    refreshes: meters.counter('ascribe_token_refreshes_total', 'Renewals in the background, by outcome'),
    refreshInflight: meters.gauge('ascribe_token_refresh_inflight', 'Tokens that are being minted or renewed now'),
    waiters: meters.gauge('ascribe_token_waiters', 'Callers that wait for a token now'),
    secondsToExpiry: meters.gauge(
      'ascribe_token_seconds_to_expiry',
      'Least remaining life of the tokens used in the last minute; NaN when none was',
    ),
    denied: meters.counter('ascribe_impersonation_denied_total', 'Callers that were refused, by reason'),
    throttled: meters.counter('ascribe_token_throttled_total', 'Callers that our own limits held back, by reason'),
    auditFailures: meters.counter('ascribe_impersonation_audit_failures_total', 'Audit records that could not be written'),
    breaker: meters.gauge('ascribe_breaker_state', 'Circuit breaker by host and step: 0 closed, 1 half open, 2 open'),
  }
}

/** Makes series exist at 0, without which an alert on their increase misses the first failure. */
export function startAtZero({ requests, denied, throttled, auditFailures, hits, misses }: Instruments): void {
  const steps = ['service_token', 'rpt', 'impersonate', 'profile']
  const outcomes = ['ok', 'network', 'timeout', 'server_error', 'rate_limited', 'answer_invalid', 'redirect', 'bearer_refused']
  const zero = (counter: Counter, labels?: Labels): void => counter.add(0, labels)
  for (const step of steps) for (const outcome of outcomes) zero(requests, { step, outcome })
  for (const reason of [
    'secret_unreadable',
    'client_refused',
    'realm_unknown',
    'request_refused',
    'permission_denied',
    'bearer_refused',
    'user_unknown',
    'user_refused',
    'subject_mismatch',
    'email_mismatch',
  ])
    zero(denied, { reason })
  for (const reason of ['owner_rate', 'backing_off', 'queue_full', 'circuit_open']) zero(throttled, { reason })
  for (const counter of [auditFailures, hits, misses]) zero(counter)
}
