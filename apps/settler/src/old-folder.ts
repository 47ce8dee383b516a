import { stat } from 'node:fs/promises'
import { errorCode } from '@ascribe/kit'

/** A folder without an entry may be that of a writer that starts right now; one of this age is not. */
const EMPTY_MS = 60_000

/** Whether a writer's folder is older than any that is just being made. */
export async function isOldFolder(dir: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(dir)).mtimeMs > EMPTY_MS
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false
    throw cause
  }
}
