import { z } from 'zod'

/**
 * The few words that a program branches on first: the reference's closed set (billing-view.md 2), then ours.
 * `code` says more, and the table below which code has which.
 */
export type ApiReason =
  | 'validation'
  | 'forbidden'
  | 'not_found'
  | 'upstream_error'
  | 'upstream_limit_exceeded'
  | 'internal_error'
  | 'unauthenticated'
  | 'method_not_allowed'
  | 'conflict'
  | 'too_large'
  | 'unsupported'
  | 'too_many_requests'
  | 'unavailable'

/** Every code that the API answers with. docs/guides/api.md says what to do about each. */
export type ApiErrorCode =
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'insufficient_role'
  | 'origin_refused'
  | 'organization_required'
  | 'organization_ambiguous'
  | 'organization_not_found'
  | 'acting_session_required'
  | 'acting_session_ended'
  | 'approval_required'
  | 'redirect_refused'
  | 'route_not_found'
  | 'not_found'
  | 'method_not_allowed'
  | 'invalid_request'
  | 'conflicting_event'
  | 'conflict'
  | 'idempotency_conflict'
  | 'body_too_large'
  | 'head_too_large'
  | 'request_timeout'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'issuer_unavailable'
  | 'audit_unavailable'
  | 'unavailable'
  | 'internal'

export type ApiErrorKind = { readonly status: number; readonly reason: ApiReason }

/** One status and one reason for each code. What is missing and what is somebody else's are one code. */
export const API_ERRORS: Readonly<Record<ApiErrorCode, ApiErrorKind>> = {
  unauthenticated: { status: 401, reason: 'unauthenticated' },
  insufficient_scope: { status: 403, reason: 'forbidden' },
  insufficient_role: { status: 403, reason: 'forbidden' },
  origin_refused: { status: 403, reason: 'forbidden' },
  organization_required: { status: 400, reason: 'validation' },
  organization_ambiguous: { status: 400, reason: 'validation' },
  organization_not_found: { status: 404, reason: 'not_found' },
  acting_session_required: { status: 403, reason: 'forbidden' },
  acting_session_ended: { status: 403, reason: 'forbidden' },
  approval_required: { status: 403, reason: 'forbidden' },
  redirect_refused: { status: 400, reason: 'validation' },
  route_not_found: { status: 404, reason: 'not_found' },
  not_found: { status: 404, reason: 'not_found' },
  method_not_allowed: { status: 405, reason: 'method_not_allowed' },
  invalid_request: { status: 400, reason: 'validation' },
  conflicting_event: { status: 409, reason: 'conflict' },
  conflict: { status: 409, reason: 'conflict' },
  idempotency_conflict: { status: 409, reason: 'conflict' },
  body_too_large: { status: 413, reason: 'too_large' },
  head_too_large: { status: 431, reason: 'too_large' },
  request_timeout: { status: 408, reason: 'validation' },
  unsupported_media_type: { status: 415, reason: 'unsupported' },
  too_many_requests: { status: 429, reason: 'too_many_requests' },
  issuer_unavailable: { status: 502, reason: 'upstream_error' },
  audit_unavailable: { status: 503, reason: 'unavailable' },
  unavailable: { status: 503, reason: 'unavailable' },
  internal: { status: 500, reason: 'internal_error' },
}

/** What the API answers when it does not answer: on every listener, on every status, also to what is no HTTP. */
export type ApiError = {
  readonly reason: ApiReason
  readonly code: ApiErrorCode
  /** For people; safe to show to a customer. */
  readonly message: string
  /** A UUID, which the full log has too. */
  readonly requestId: string
  /** Which events of a batch, by their place from 0, and why. */
  readonly events?: readonly { readonly index: number; readonly reason: string }[] | undefined
}

const REASONS: readonly ApiReason[] = [
  ...new Set<ApiReason>([...Object.values(API_ERRORS).map(({ reason }) => reason), 'upstream_limit_exceeded']),
]

export const ApiErrorSchema: z.ZodType<ApiError> = z
  .strictObject({
    reason: z.enum(REASONS),
    code: z.enum(Object.keys(API_ERRORS) as ApiErrorCode[]).meta({ description: 'Finer than the reason.' }),
    message: z.string().meta({ description: 'For people; safe to show.' }),
    requestId: z.uuid().meta({ description: 'Joins this answer to the full log and to the trail.' }),
    events: z
      .array(z.strictObject({ index: z.int().min(0), reason: z.string() }))
      .optional()
      .meta({ description: 'Which events of a batch, by their place from 0, and why.' }),
  })
  .meta({ id: 'ApiError' })
