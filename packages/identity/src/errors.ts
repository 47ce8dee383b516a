import { AscribeError } from '@ascribe/kit'

/** The policy snapshot on disk cannot be used. The last good one stays in force. */
export class PolicyFileError extends AscribeError {
  override readonly code = 'POLICY_FILE_INVALID'
}

/** The server secret under which keys are stored cannot be used. */
export class ServerSecretError extends AscribeError {
  override readonly code = 'SERVER_SECRET_INVALID'
}

/** There is no good copy of the keys that an issuer signs with, so nobody can be told from a forger. */
export class KeySetError extends AscribeError {
  override readonly code = 'KEY_SET_UNAVAILABLE'
  override readonly retryable = true
}

/** An identity provider does not answer as OpenID Connect says it must. */
export class IssuerError extends AscribeError {
  override readonly code = 'ISSUER_UNUSABLE'
  override readonly retryable: boolean

  constructor(message: string, options: { readonly cause?: unknown; readonly retryable?: boolean } = {}) {
    super(message, options)
    this.retryable = options.retryable ?? false
  }
}
