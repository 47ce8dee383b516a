import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { FileLock, TryLock } from '@ascribe/kit'
import { errorCode } from '@ascribe/kit'
import { PolicyFileError } from './errors.ts'
import { patchKeys } from './policy.ts'
import type { PolicySnapshot } from './policy.ts'
import { KEYS_MARK, formatPolicy, parsePolicy } from './policy-text.ts'

/**
 * Reads a snapshot; `undefined` when there is none yet. Keys make nearly all of a large one: those of `known`, an earlier reading, are
 * taken over without being read when the head of the file says that they are the same, or which have changed since. @throws {PolicyFileError}
 */
export function readPolicyFile(path: string, known?: PolicySnapshot): PolicySnapshot | undefined {
  if (known?.keysVersion !== undefined) {
    const head = readHead(path)
    if (head?.ledger === known.ledger) {
      if (head.keysVersion === known.keysVersion) return { ...head, keys: known.keys }
      const { recent, keysVersion = 0 } = head
      if (recent !== undefined && known.keysVersion >= recent.since && keysVersion > known.keysVersion)
        return { ...head, keys: patchKeys(known.keys, recent) }
    }
  }
  const text = readText(path)
  return text === undefined ? undefined : parsePolicy(text, path)
}

/**
 * Puts `snapshot` on disk whole or not at all (temporary file, fsync, rename, fsync of the folder), unless a newer one of the
 * same ledger is there.
 * `tryLock` keeps two writers apart; when another one is at work for longer than its turn, that one's word stands and
 * `busy` is returned: call again.
 */
export function writePolicyFile(path: string, snapshot: PolicySnapshot, tryLock: TryLock): 'written' | 'current' | 'busy' {
  const lock: FileLock | undefined = tryLock(`${path}.lock`)
  if (lock === undefined) return 'busy'
  try {
    if (isCurrent(path, snapshot)) return 'current'
    const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
    try {
      writeFileSync(temporary, formatPolicy(snapshot), { flag: 'wx', mode: 0o600, flush: true })
      renameSync(temporary, path)
    } finally {
      rmSync(temporary, { force: true })
    }
    syncFolder(dirname(path))
    return 'written'
  } finally {
    lock[Symbol.dispose]()
  }
}

/** Whether a snapshot is there that is as new; one that cannot be read is none. */
function isCurrent(path: string, snapshot: PolicySnapshot): boolean {
  const isAsNew = (present: PolicySnapshot | undefined): boolean =>
    present !== undefined && present.ledger === snapshot.ledger && present.version >= snapshot.version
  try {
    const head = readHead(path)
    // The head of a file that is older spares reading the rest, which is as a rule the case.
    return (head === undefined || isAsNew(head)) && isAsNew(readPolicyFile(path))
  } catch {
    return false
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw new PolicyFileError(`Cannot read the policy snapshot at ${path}`, { cause })
  }
}

/** Beyond that the head is not looked for, and all is read: the latest changes and the terms of some thousand credentials fit. */
const HEAD_BYTES_MAX = 1024 * 1024

/** What stands before the keys, as a snapshot without keys; `undefined` when it cannot be told from the beginning of the file. */
function readHead(path: string): PolicySnapshot | undefined {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES_MAX)
  let length = 0
  try {
    const fd = openSync(path, 'r')
    try {
      length = readSync(fd, bytes, 0, HEAD_BYTES_MAX, 0)
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
  const end = bytes.subarray(0, length).indexOf(KEYS_MARK)
  if (end === -1) return undefined
  try {
    return parsePolicy(`${bytes.toString('utf8', 0, end)},"keys":[]}`, path)
  } catch {
    return undefined
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
