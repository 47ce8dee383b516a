import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { FileLock, TryLock } from '@ascribe/kit'
import { errorCode } from '@ascribe/kit'
import { PolicyFileError } from './errors.ts'
import type { PolicyKey, PolicySnapshot, Scope } from './policy.ts'
import { SCOPES } from './policy.ts'

/** Reads a snapshot; `undefined` when there is none yet. @throws {PolicyFileError} */
export function readPolicyFile(path: string): PolicySnapshot | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw new PolicyFileError(`Cannot read the policy snapshot at ${path}`, { cause })
  }
  return parsePolicy(text, path)
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
    const present = readQuietly(path)
    if (present !== undefined && present.ledger === snapshot.ledger && present.version >= snapshot.version) return 'current'
    const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
    try {
      writeFileSync(temporary, JSON.stringify(snapshot), { flag: 'wx', mode: 0o600, flush: true })
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

function readQuietly(path: string): PolicySnapshot | undefined {
  try {
    return readPolicyFile(path)
  } catch {
    // What cannot be read is replaced.
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

function parsePolicy(text: string, path: string): PolicySnapshot {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new PolicyFileError(`Cannot use the policy snapshot at ${path}: it is not JSON`, { cause })
  }
  if (
    !isRecord(value) ||
    typeof value['ledger'] !== 'string' ||
    !Number.isSafeInteger(value['version']) ||
    !Array.isArray(value['keys']) ||
    !value['keys'].every(isPolicyKey)
  ) {
    throw new PolicyFileError(`Cannot use the policy snapshot at ${path}: it does not have the shape of one`)
  }
  return { ledger: value['ledger'], version: value['version'] as number, keys: value['keys'] }
}

function isPolicyKey(value: unknown): value is PolicyKey {
  if (!isRecord(value)) return false
  const texts = [value['authId'], value['publicId'], value['hmac'], value['organizationId']]
  const scopes = value['scopes']
  return (
    texts.every((text) => typeof text === 'string') && Array.isArray(scopes) && scopes.every((scope) => SCOPES.includes(scope as Scope))
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
