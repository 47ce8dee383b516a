import { AscribeError } from '@ascribe/kit'

/** A stored invoice or credit note is not what its hash says: somebody changed it behind our back. */
export class DocumentDamagedError extends AscribeError {
  override readonly code = 'DOCUMENT_DAMAGED'
}

/** A prefix numbers invoices or credit notes, never both. */
export class SeriesKindError extends AscribeError {
  override readonly code = 'SERIES_KIND'
}

/** Credits were spent by somebody else in the moment in which they were to be drawn. */
export class CreditConflictError extends AscribeError {
  override readonly code = 'CREDIT_CONFLICT'
  override readonly retryable = true
}
