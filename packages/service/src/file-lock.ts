import { DatabaseSync } from 'node:sqlite'
import { errorCode, type FileLock, type TryLock } from '@ascribe/kit'
import { LockError } from './errors.ts'

// SQLite's primary result code "another connection holds a conflicting lock" (sqlite.org/rescode.html).
const SQLITE_BUSY = 5

// A lock whose holder forgot the object must not be released by the garbage collector.
const held = new Set<DatabaseSync>()

/**
 * Takes the lock at `path`, or gives `undefined` at once when any other holder has it: another process, thread or caller.
 *
 * It is an fcntl lock that SQLite takes on an empty file, since Node itself offers none. The kernel drops it when the
 * process ends, however it ends. The file stays empty and stays behind: who deletes a lock file lets two holders in.
 * POSIX drops a process's fcntl locks when it closes *any* descriptor of the file, so nothing else in the holder's
 * process may open it. The folder must be on a local file system.
 *
 * @throws {LockError} when the folder is missing, the file cannot be written, or it is not a lock file.
 */
export const tryLock: TryLock = (path) => {
  const database = open(path)
  try {
    // In memory, so that no `-journal` file appears that a killed holder would leave behind as a hot journal.
    database.exec('PRAGMA journal_mode=MEMORY')
    // IMMEDIATE takes the one reserved lock. EXCLUSIVE also waits for readers to go, and every contender is a reader for
    // a moment: two of them could turn each other away and nobody would win.
    database.exec('BEGIN IMMEDIATE')
  } catch (cause) {
    database.close()
    if (isBusy(cause)) return undefined
    throw new LockError(`Cannot lock ${path}`, { cause })
  }
  held.add(database)
  return lockOver(database)
}

function lockOver(database: DatabaseSync): FileLock {
  return {
    [Symbol.dispose](): void {
      if (!held.delete(database)) return
      database.close()
    },
  }
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 })
  } catch (cause) {
    throw new LockError(`Cannot open the lock file ${path}`, { cause })
  }
}

function isBusy(thrown: unknown): boolean {
  return errorCode(thrown) === 'ERR_SQLITE_ERROR' && thrown instanceof Error && 'errcode' in thrown && thrown.errcode === SQLITE_BUSY
}
