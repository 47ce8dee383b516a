import { AscribeError } from '@ascribe/kit'

/** A change of the directory that was refused as things stand. */
export class DirectoryConflictError extends AscribeError {
  override readonly code = 'DIRECTORY_CONFLICT'
}

/** Another process runs everything on this data directory. */
export class DataDirInUseError extends AscribeError {
  override readonly code = 'DATA_DIR_IN_USE'
}
