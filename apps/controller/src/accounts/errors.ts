import { AscribeError } from '@ascribe/kit'

/** The journal did not take an act, so that it was not done. */
export class ActNotRecordedError extends AscribeError {
  override readonly code = 'ACT_NOT_RECORDED'
  override readonly retryable = true
}

/** The journal did not take what a machine has used; it stays owed in the machine's annotation. */
export class LifeNotRecordedError extends AscribeError {
  override readonly code = 'MACHINE_LIFE_NOT_RECORDED'
  override readonly retryable = true
}
