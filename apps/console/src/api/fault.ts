import { ApiClientError, ReadOnlyError } from '@ascribe/contract/client'

/** What a page says of a request that failed. */
export type FaultKind =
  /** Missing, or somebody else's: one page for both. */
  | 'not_found'
  | 'forbidden'
  /** The acting session is over, was withdrawn, or never began. */
  | 'viewing_ended'
  | 'viewing_required'
  | 'approval_required'
  /** The sign-in is over: of Teleport, or of the customer. */
  | 'signed_out'
  | 'organization_required'
  | 'offline'
  | 'limited'
  | 'audit_unavailable'
  | 'invalid'
  | 'conflict'
  | 'read_only'
  | 'internal'

export type Fault = {
  readonly kind: FaultKind
  /** The API's own words, for people; empty where there are none. */
  readonly message: string
  readonly requestId: string | undefined
}

/** A request that got no answer, and why. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
  readonly reason: 'signed_out' | 'offline'

  constructor(reason: 'signed_out' | 'offline', options?: ErrorOptions) {
    super(reason === 'offline' ? 'Cannot reach the server' : 'Cannot ask: the sign-in has ended', options)
    this.reason = reason
  }
}

const BY_CODE: Readonly<Record<string, FaultKind>> = {
  unauthenticated: 'signed_out',
  insufficient_scope: 'forbidden',
  insufficient_role: 'forbidden',
  origin_refused: 'forbidden',
  organization_required: 'organization_required',
  organization_ambiguous: 'invalid',
  organization_not_found: 'not_found',
  acting_session_required: 'viewing_required',
  acting_session_ended: 'viewing_ended',
  approval_required: 'approval_required',
  redirect_refused: 'invalid',
  route_not_found: 'not_found',
  not_found: 'not_found',
  method_not_allowed: 'read_only',
  invalid_request: 'invalid',
  conflict: 'conflict',
  idempotency_conflict: 'conflict',
  body_too_large: 'invalid',
  too_many_requests: 'limited',
  audit_unavailable: 'audit_unavailable',
}

const BY_STATUS: Readonly<Record<number, FaultKind>> = { 401: 'signed_out', 403: 'forbidden', 404: 'not_found', 429: 'limited' }

/** What an error of a query or a write means to a reader. Whatever is not known is a failure on our side. */
export function faultOf(error: unknown): Fault {
  if (error instanceof ReadOnlyError) return { kind: 'read_only', message: error.message, requestId: undefined }
  if (error instanceof NoAnswerError) return { kind: error.reason, message: error.message, requestId: undefined }
  if (!(error instanceof ApiClientError)) return { kind: 'internal', message: '', requestId: undefined }
  const { apiCode, status, requestId, cause } = error
  if (status === 0) return cause instanceof NoAnswerError ? faultOf(cause) : { kind: 'offline', message: '', requestId }
  const kind = (apiCode === undefined ? undefined : BY_CODE[apiCode]) ?? BY_STATUS[status] ?? 'internal'
  return { kind, message: apiCode === undefined ? '' : error.message.replace(/^Cannot \w+: /, ''), requestId }
}
