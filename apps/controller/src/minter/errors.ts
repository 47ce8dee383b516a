import { AscribeError } from '@ascribe/kit'

/** The minter cannot be served as it is told to. */
export class MinterConfigError extends AscribeError {
  override readonly code = 'MINTER_CONFIG_INVALID'
}
