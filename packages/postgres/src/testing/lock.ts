import { DatabaseSync } from 'node:sqlite'
import type { FileLock, TryLock } from '@ascribe/kit'

/** Paths that this process holds. SQLite's locks belong to the process, and two connections of one process share trust in them. */
const held = new Set<string>()

/** A lock for tests: an exclusive transaction on an empty SQLite file, which the kernel releases when the process dies. */
export const testTryLock: TryLock = (path): FileLock | undefined => {
  if (held.has(path)) return undefined
  const file = new DatabaseSync(path)
  try {
    file.exec('pragma busy_timeout = 0; begin exclusive')
  } catch {
    file.close()
    return undefined
  }
  held.add(path)
  return {
    [Symbol.dispose]() {
      if (!held.delete(path)) return
      file.close()
    },
  }
}
