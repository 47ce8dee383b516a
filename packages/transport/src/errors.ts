import { AscribeError, InputError } from '@ascribe/kit'

/** The broker cannot be reached, is full, or does not answer in time. Journals keep what it did not take. */
export class TransportUnavailableError extends AscribeError {
  override readonly code = 'TRANSPORT_UNAVAILABLE'
  override readonly retryable = true
}

/** A stream of ours exists with a setting under which records could be dropped unread. Nothing is sent to it. */
export class TransportStreamError extends AscribeError {
  override readonly code = 'TRANSPORT_STREAM_UNSAFE'
  override readonly retryable = true
}

/** A message is not what this program, or a newer one, sends. */
export class TransportMessageError extends AscribeError {
  override readonly code = 'TRANSPORT_MESSAGE_INVALID'
}

/** The broker's address, credentials or certificates cannot be used as they are set. */
export class TransportSettingError extends InputError {
  override readonly code = 'TRANSPORT_SETTING_INVALID'
}
