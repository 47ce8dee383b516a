import { AscribeError } from '@ascribe/kit'

export type AuthorityFacts = {
  /** A condition's: `OwnerNotAuthorized`, `RegionNotAllowed`, … */
  readonly reason: string
  /** Set where it may heal by itself: a cache that is not filled, a peer that is down. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** An account may not be used, or not now. Nothing was sent. `reason` is what conditions say. */
export class AuthorityError extends AscribeError {
  override readonly code = 'AUTHORITY_REFUSED'
  override readonly retryable: boolean
  readonly reason: string
  readonly retryAfterMs: number | undefined

  constructor(message: string, { reason, retryAfterMs, cause }: AuthorityFacts) {
    super(message, { cause })
    this.reason = reason
    this.retryAfterMs = retryAfterMs
    this.retryable = retryAfterMs !== undefined
  }
}

/** The issuer that an Impersonator names may not be used: it is one for trials, and this is no trial. */
export class IssuerRefusedError extends AscribeError {
  override readonly code = 'AUTHORITY_ISSUER_REFUSED'
}
