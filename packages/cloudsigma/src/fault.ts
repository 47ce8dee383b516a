/** What a call may have left behind. `none`: the API refused before it did anything. `unknown`: look before doing it again (R-12). */
export type Effect = 'none' | 'unknown'

/** What every fault carries. */
export type FaultFacts = {
  /** HTTP status, if there was a whole head. */
  readonly status?: number
  /** `X-REQUEST-ID` of the answer: what the cloud's support asks for. */
  readonly requestId?: string
  /** The API's own words for the kind of error: `validation`, `permission`, … Empty where the body was not the API's. */
  readonly errorTypes: readonly string[]
  /** `Retry-After`, at most an hour. */
  readonly retryAfterMs?: number
  readonly effect: Effect
}

/**
 * Why a call failed, decided from the HTTP status and `error_type` and never from a search in texts (R-14). The one text that is
 * read is that of a 403, whole and anchored, because only it tells a state from a permission (R-4). None of these means "gone" but `notFound`.
 */
export type CloudFault = FaultFacts &
  (
    | {
        /** 403: this account may not do that to this resource. Somebody else's, or shared with fewer permissions. */
        readonly kind: 'acl'
        readonly permissions: readonly string[]
        readonly resources: readonly string[]
      }
    | {
        /** 403: the resource is not in the state that this needs. Not a permission. */
        readonly kind: 'state'
        readonly target: string
        readonly expected: string
        readonly current: string
      }
    /** 403 with `insufficient_scope` (RFC 6750): the token may not do this, whoever owns the resource. */
    | { readonly kind: 'scope' }
    /** 403 in a form that nobody has described. Decides nothing. */
    | { readonly kind: 'forbidden' }
    /** 401, after the token was dropped and, for what may be repeated, replaced once. */
    | { readonly kind: 'auth' }
    /** 404 with `notexist`, by the API itself. A 404 of a gateway is `gateway`. */
    | { readonly kind: 'notFound' }
    /** 400 and other 4xx: what was asked is wrong. `points` are the API's `error_point`s. */
    | { readonly kind: 'validation'; readonly points: readonly string[] }
    /** 402: no subscription, or not enough money to start for five days. */
    | { readonly kind: 'payment' }
    /** 503 without `concurrency`: the cloud has no room. Retry slowly. */
    | { readonly kind: 'capacity' }
    /** 503 `concurrency`: somebody else is changing the same. Retry soon. */
    | { readonly kind: 'concurrency' }
    /** 429, or a limit of this client that the call could not wait out. */
    | { readonly kind: 'rateLimit' }
    /** 500 by the API itself. */
    | { readonly kind: 'backend' }
    /** 5xx or 404 of something in between: HTML, text, nothing. Says nothing of the resource. */
    | { readonly kind: 'gateway' }
    /** A redirect, which is never followed: the token would go where somebody else chose (H-20). */
    | { readonly kind: 'redirect' }
    /** A success whose body cannot be used: cut off, not JSON, or without what it must have. */
    | { readonly kind: 'malformed'; readonly why: string }
    /** No whole answer: the connection failed or broke, or the deadline passed. */
    | { readonly kind: 'network'; readonly why: string }
  )

export type FaultKind = CloudFault['kind']

/** What is known of an answer that is no success. */
export type RefusedAnswer = {
  readonly status: number
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined
  /** `WWW-Authenticate`. */
  readonly challenge: string | undefined
  /** The body, if it is whole JSON. */
  readonly body: unknown
}

type Entry = { readonly type: string; readonly message: string; readonly point: string | undefined }

const ERROR_TYPES = new Set(['validation', 'notexist', 'backend', 'permission', 'database', 'concurrency', 'billing', 'payment'])

/** Classifies an answer whose status is no success. Pure. */
export function faultOf(answer: RefusedAnswer): CloudFault {
  const { status, requestId, retryAfterMs } = answer
  const entries = entriesOf(answer.body)
  const errorTypes = [...new Set(entries.map(({ type }) => type))]
  const facts = {
    status,
    errorTypes,
    effect: status < 500 || status === 503 ? ('none' as const) : ('unknown' as const),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
  // Whoever answers in the API's place says nothing about its resources.
  const isOwn = entries.length > 0
  if (status >= 300 && status < 400) return { kind: 'redirect', ...facts }
  switch (status) {
    case 401:
      return { kind: 'auth', ...facts }
    case 402:
      return { kind: 'payment', ...facts }
    case 403:
      return { ...facts, ...forbiddenOf(entries, answer.challenge) }
    case 404:
      return errorTypes.includes('notexist') ? { kind: 'notFound', ...facts } : { kind: 'gateway', ...facts }
    case 429:
      return { kind: 'rateLimit', ...facts }
    case 503:
      if (errorTypes.includes('concurrency')) return { kind: 'concurrency', ...facts }
      return isOwn ? { kind: 'capacity', ...facts } : { kind: 'gateway', ...facts, effect: 'unknown' }
  }
  if (status < 500) return { kind: 'validation', points: pointsOf(entries), ...facts }
  return isOwn && status === 500 ? { kind: 'backend', ...facts } : { kind: 'gateway', ...facts }
}

/** The array of the documentation, or the single object that has been seen too. */
function entriesOf(body: unknown): Entry[] {
  const found: unknown[] = Array.isArray(body) ? body : [body]
  return found.slice(0, ENTRIES_MAX).flatMap((each) => {
    if (typeof each !== 'object' || each === null || !('error_type' in each)) return []
    const { error_type: type } = each
    if (typeof type !== 'string' || !ERROR_TYPES.has(type)) return []
    const message = 'error_message' in each && typeof each.error_message === 'string' ? each.error_message : ''
    const point = 'error_point' in each && typeof each.error_point === 'string' ? each.error_point : undefined
    return [{ type, message, point }]
  })
}

/** One validation error a field of the largest object there is. */
const ENTRIES_MAX = 100

// Both whole and anchored (cloud-impersonation reference, R-4 and 3.3).
const STATE =
  /^Error attempting to put '[^']{1,64}' in state '([a-z_]{1,32})'\. It should be in state '([a-z_]{1,32})', not '([a-z_]{1,32})'\.?$/
const ACL =
  /^User [\w-]{1,64} does not have all of the permissions \[([A-Z_', ]{0,200})\] in order to complete the operation on resources \[([\w-.:', ]{0,2000})\]\.?$/

type Forbidden =
  | { kind: 'state'; target: string; expected: string; current: string }
  | { kind: 'acl'; permissions: readonly string[]; resources: readonly string[] }
  | { kind: 'scope' }
  | { kind: 'forbidden' }

function forbiddenOf(entries: readonly Entry[], challenge: string | undefined): Forbidden {
  if (challenge !== undefined && /\berror="insufficient_scope"/.test(challenge)) return { kind: 'scope' }
  for (const { type, message } of entries) {
    if (type !== 'permission') continue
    const [, target, expected, current] = STATE.exec(message) ?? []
    if (target !== undefined && expected !== undefined && current !== undefined) return { kind: 'state', target, expected, current }
    const [, permissions, resources] = ACL.exec(message) ?? []
    if (permissions !== undefined && resources !== undefined)
      return { kind: 'acl', permissions: wordsOf(permissions), resources: wordsOf(resources) }
  }
  return { kind: 'forbidden' }
}

function wordsOf(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.replace(/['\s]/g, ''))
    .filter((word) => word !== '')
}

/** Names of fields only: whatever else stands there may echo what was sent. */
function pointsOf(entries: readonly Entry[]): string[] {
  return [...new Set(entries.flatMap(({ point }) => (point !== undefined && /^[a-z][a-z0-9_.[\]]{0,63}$/.test(point) ? [point] : [])))]
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3), 0 to one hour. A date is taken relative to the answer's own `Date`. */
export function retryAfterMsOf(text: string | undefined, date: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = /^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined
  const until = seconds === undefined ? Date.parse(text) - Date.parse(date ?? '') : seconds * 1000
  return Number.isFinite(until) ? Math.min(Math.max(until, 0), RETRY_AFTER_MS_MAX) : undefined
}

const RETRY_AFTER_MS_MAX = 3_600_000
