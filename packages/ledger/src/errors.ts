import { InputError } from '@ascribe/kit'

/** A value that a caller gave cannot be used; the message says which and why. */
export class LedgerInputError extends InputError {
  override readonly code = 'LEDGER_INPUT'
}
