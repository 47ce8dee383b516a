import { InputError } from '@ascribe/kit'

/** A value that a caller gave cannot be used; the message says which and why. */
export class LedgerInputError extends InputError {
  override readonly code = 'LEDGER_INPUT'
}

/** A backup cannot be restored: it is damaged or cut off, of a newer program, or the database is not empty. */
export class BackupError extends InputError {
  override readonly code = 'LEDGER_BACKUP'
}
