import { AscribeError } from '@ascribe/kit'

/** Another process runs everything on this data directory. */
export class DataDirInUseError extends AscribeError {
  override readonly code = 'DATA_DIR_IN_USE'
}
