import { AscribeError, InputError } from '@ascribe/kit'
import type { AscribeErrorOptions } from '@ascribe/kit'

/** A lock file can neither be taken nor be told to be held: its folder is missing, it may not be written, it is something else. */
export class LockError extends AscribeError {
  override readonly code = 'LOCK_UNUSABLE'
}

/** A server cannot listen where it was told to. */
export class ListenError extends InputError {
  override readonly code = 'LISTEN_FAILED'
}

/** The configuration cannot be used. The message names every problem, one a line, each with its place. */
export class ConfigError extends InputError {
  override readonly code = 'CONFIG_INVALID'
}

/** A call of somebody else's HTTP server got no reply that can be used. Holds neither headers nor bodies. */
export class HttpCallError extends AscribeError {
  override readonly code = 'HTTP_CALL_FAILED'
  /** Whether the same call may succeed later. */
  override readonly retryable: boolean

  constructor(message: string, options: AscribeErrorOptions & { readonly retryable: boolean }) {
    super(message, options)
    this.retryable = options.retryable
  }
}
