import { AscribeError } from '@ascribe/kit'

/** No room for another intent: the disk, the cap on retained bytes or the cap on open intents. Open intents still settle. */
export class JournalFullError extends AscribeError {
  override readonly code = 'JOURNAL_FULL'
  override readonly retryable: boolean = true
}

/** A write or fdatasync failed. The writer takes nothing more: what the disk holds is no longer known to it. */
export class JournalFailedError extends AscribeError {
  override readonly code = 'JOURNAL_FAILED'
}

/** The writer is closing or closed. */
export class JournalClosedError extends AscribeError {
  override readonly code = 'JOURNAL_CLOSED'
}

/** The writer's folder cannot be taken: another process holds it, or it holds an earlier writer's journal. */
export class JournalTakenError extends AscribeError {
  override readonly code = 'JOURNAL_TAKEN'
}

/** The path holds no journal. */
export class JournalNotFoundError extends AscribeError {
  override readonly code = 'JOURNAL_NOT_FOUND'
}

/** Bytes that were written whole do not check out any more, or a segment is missing. Recovery sets the segment aside. */
export class JournalCorruptError extends AscribeError {
  override readonly code = 'JOURNAL_CORRUPT'
  readonly segment: number
  readonly offset: number

  constructor(message: string, options: { readonly segment: number; readonly offset: number; readonly cause?: unknown }) {
    super(message, { cause: options.cause })
    this.segment = options.segment
    this.offset = options.offset
  }
}
