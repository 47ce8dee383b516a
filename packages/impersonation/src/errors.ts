import { AscribeError } from '@ascribe/kit'

/** Where minting stood. `local`: nothing had been sent. */
export type MintStep = 'local' | 'minter' | 'secret' | 'service_token' | 'rpt' | 'impersonate' | 'profile' | 'audit'

/** Why, in one word that programs branch on and metrics are labelled with. */
export type Reason =
  | 'input_invalid'
  | 'region_unknown'
  | 'not_authorized'
  | 'secret_unreadable'
  | 'client_refused'
  | 'realm_unknown'
  | 'request_refused'
  | 'bearer_refused'
  | 'permission_denied'
  | 'user_unknown'
  | 'user_refused'
  | 'subject_mismatch'
  | 'email_mismatch'
  | 'network'
  | 'timeout'
  | 'rate_limited'
  | 'server_error'
  | 'redirect'
  | 'answer_invalid'
  | 'expired_on_arrival'
  | 'circuit_open'
  | 'owner_rate'
  | 'backing_off'
  | 'queue_full'
  | 'forgotten'
  | 'abandoned'
  | 'closed'
  | 'audit_failed'
  | 'wrong_origin'
  | 'token_expired'
  | 'token_dropped'

export type ImpersonationErrorFields = {
  readonly step: MintStep
  readonly reason: Reason
  /** Of the answer, where there was one. */
  readonly status?: number | undefined
  /** From now on; what the peer asked for, or what our own limits need. At most an hour. */
  readonly retryAfterMs?: number | undefined
  /** What to do about it, in one sentence. */
  readonly hint?: string | undefined
  /** The peer's id of the request, for its operators. */
  readonly requestId?: string | undefined
  readonly cause?: unknown
}

/**
 * Anything that keeps a token from being had. Messages name step, host and status, never what was in a body: that may echo
 * a secret (H-15).
 */
export abstract class ImpersonationError extends AscribeError {
  readonly step: MintStep
  readonly reason: Reason
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly hint: string | undefined
  readonly requestId: string | undefined

  constructor(message: string, fields: ImpersonationErrorFields) {
    super(message, { cause: fields.cause })
    this.step = fields.step
    this.reason = fields.reason
    this.status = fields.status
    this.retryAfterMs = fields.retryAfterMs
    this.hint = fields.hint
    this.requestId = fields.requestId
  }
}

/** An owner or an e-mail address cannot be one. Nothing was sent. */
export class ImpersonationInputError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_INPUT_INVALID'

  constructor(message: string, cause?: unknown) {
    super(message, { step: 'local', reason: 'input_invalid', cause })
  }
}

/** The caller's policy does not let this owner be acted for. Nothing was sent, and the cache was not asked. */
export class NotAuthorizedError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_NOT_AUTHORIZED'

  constructor(message: string, cause?: unknown) {
    super(message, { step: 'local', reason: 'not_authorized', cause })
  }
}

/** The region is malformed or not in the region table. Nothing was sent. */
export class RegionUnknownError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_REGION_UNKNOWN'

  constructor(message: string) {
    super(message, { step: 'local', reason: 'region_unknown', hint: 'Take a region of the table, or have its operator add this one' })
  }
}

/** The region table holds an address that must not be given a token. */
export class RegionTableError extends AscribeError {
  override readonly code = 'IMPERSONATION_REGION_TABLE_INVALID'
}

/** The client secret cannot be read where it should be. The one in use, if there is one, goes on being used. */
export class ClientSecretError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_SECRET_UNREADABLE'
  override readonly retryable = true

  constructor(message: string, cause?: unknown) {
    super(message, { step: 'secret', reason: 'secret_unreadable', cause })
  }
}

/** The authorization server, or the cloud, does not accept us as a client: secret, realm, audience, permission. For the operator, not the owner. */
export class ClientRefusedError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_CLIENT_REFUSED'
}

/** The cloud does not let this one owner be acted for: unknown, suspended, or not allowed. Others are not concerned. */
export class OwnerRefusedError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_OWNER_REFUSED'
}

/** The token that came is somebody else's. It was destroyed unused. */
export class SubjectMismatchError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_SUBJECT_MISMATCH'
}

/** A peer is down, slow, overloaded or in trouble, or was so a moment ago and is left alone. */
export class MintUnavailableError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_UNAVAILABLE'
  override readonly retryable = true
}

/** A peer answered something that its interface does not allow: a redirect, no token, a token that has expired on arrival. */
export class AnswerInvalidError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_ANSWER_INVALID'
}

/** Our own limits hold this owner back for a moment. Nothing was sent. */
export class MintThrottledError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_THROTTLED'
  override readonly retryable = true
}

/** The audit record could not be written, so the token was destroyed instead of being handed out. */
export class AuditFailedError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_AUDIT_FAILED'
  override readonly retryable = true

  constructor(message: string, cause: unknown) {
    super(message, { step: 'audit', reason: 'audit_failed', cause })
  }
}

/** A token in hand must not be used: for another host, after its end, or after it was dropped. Ask the source for one. */
export class TokenUnusableError extends ImpersonationError {
  override readonly code = 'IMPERSONATION_TOKEN_UNUSABLE'
}
