import { AscribeError, InputError } from '@ascribe/kit'

/** A value that a caller gave cannot be used; the message says which and why. */
export class LedgerInputError extends InputError {
  override readonly code = 'LEDGER_INPUT'
}

/** A backup cannot be restored: it is damaged or cut off, of a newer program, or the database is not empty. */
export class BackupError extends InputError {
  override readonly code = 'LEDGER_BACKUP'
}

/** The audit trail cannot be written. Whoever asked gets no data: answer 503. */
export class TrailDownError extends AscribeError {
  override readonly code = 'AUDIT_TRAIL_DOWN'
  override readonly retryable = true
}

/** The key that signs the trail, or a public one that is to check it, cannot be used. */
export class AuditKeyError extends InputError {
  override readonly code = 'AUDIT_KEY'
}
