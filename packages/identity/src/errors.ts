import { AscribeError } from '@ascribe/kit'

/** The policy snapshot on disk cannot be used. The last good one stays in force. */
export class PolicyFileError extends AscribeError {
  override readonly code = 'POLICY_FILE_INVALID'
}

/** The server secret under which keys are stored cannot be used. */
export class ServerSecretError extends AscribeError {
  override readonly code = 'SERVER_SECRET_INVALID'
}
