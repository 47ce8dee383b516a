import { AscribeError, InputError } from '@ascribe/kit'
import type { CloudFault, FaultKind } from './fault.ts'

/**
 * A call of the cloud's API failed; `fault` says how. Holds neither headers nor bodies, nor any text of the API's that could repeat
 * what was sent: kinds, states, permissions, names of fields and the request id only (H-15).
 */
export class CloudSigmaError extends AscribeError {
  override readonly code = 'CLOUDSIGMA_CALL_FAILED'
  /** Whether the same call may succeed later. For a call that is no repetition look at `fault.effect` first. */
  override readonly retryable: boolean
  readonly fault: CloudFault
  /** `servers.create`. */
  readonly operation: string
  /** Of the endpoint that was called. */
  readonly region: string

  constructor(fault: CloudFault, where: { readonly operation: string; readonly region: string; readonly cause?: unknown }) {
    super(`Cannot call ${where.operation} in ${where.region}: ${sayFault(fault)}`, where.cause === undefined ? {} : { cause: where.cause })
    this.fault = fault
    this.operation = where.operation
    this.region = where.region
    this.retryable = RETRYABLE.has(fault.kind)
  }
}

/**
 * The cloud made something, and for somebody else than the pinned owner. The token acted as another account: stop, keep `created`
 * aside, and call a person (R-2, H-23).
 */
export class OwnerMismatchError extends AscribeError {
  override readonly code = 'CLOUDSIGMA_OWNER_MISMATCH'
  /** What was made. It exists, and is billed to `actual`. */
  readonly created: string
  readonly expected: string
  readonly actual: string | undefined

  constructor({ created, expected, actual }: { readonly created: string; readonly expected: string; readonly actual: string | undefined }) {
    super(`Cannot go on: ${created} was made for ${actual ?? 'nobody'}, not for ${expected}`)
    this.created = created
    this.expected = expected
    this.actual = actual
  }
}

/** What was to be sent is against the rules of the API, or the endpoint is not one that may be called; nothing was sent. */
export class CloudSigmaRequestError extends InputError {
  override readonly code = 'CLOUDSIGMA_REQUEST_INVALID'
}

const RETRYABLE: ReadonlySet<FaultKind> = new Set([
  'auth',
  'state',
  'capacity',
  'concurrency',
  'rateLimit',
  'backend',
  'gateway',
  'malformed',
  'network',
  'payment',
])

function sayFault(fault: CloudFault): string {
  const parts = [sayKind(fault)]
  if (fault.status !== undefined) parts.push(`status ${fault.status}`)
  if (fault.requestId !== undefined) parts.push(`request id ${fault.requestId}`)
  if (fault.retryAfterMs !== undefined) parts.push(`again in ${Math.ceil(fault.retryAfterMs / 1000)} s`)
  const [first = '', ...rest] = parts
  return rest.length === 0 ? first : `${first} (${rest.join(', ')})`
}

function sayKind(fault: CloudFault): string {
  switch (fault.kind) {
    case 'acl':
      return `this account lacks ${list(fault.permissions) || 'permissions'} on ${list(fault.resources) || 'the resource'}`
    case 'state':
      return `it is ${fault.current} and would have to be ${fault.expected} first`
    case 'scope':
      return 'the token does not cover this'
    case 'forbidden':
      return 'the API forbids it and does not say why'
    case 'auth':
      return 'the API does not accept the credentials'
    case 'notFound':
      return 'there is no such object'
    case 'validation':
      return fault.points.length === 0 ? 'the API refuses the request' : `the API refuses ${list(fault.points)}`
    case 'payment':
      return 'the account lacks a subscription or money for it'
    case 'capacity':
      return 'the cloud has no room for it now'
    case 'concurrency':
      return 'somebody else is changing the same thing'
    case 'rateLimit':
      return 'too many requests'
    case 'backend':
      return 'the cloud failed'
    case 'gateway':
      return 'something in front of the API answered in its place'
    case 'redirect':
      return 'the answer is a redirect, which is not followed'
    case 'malformed':
      return `the answer cannot be used: ${fault.why}`
    case 'network':
      return fault.why
  }
}

/** A message has an end, whatever the API lists (H-27). */
const LISTED_MAX = 8

function list(words: readonly string[]): string {
  const more = words.length - LISTED_MAX
  return words.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
