import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AscribeError, errorCode } from '@ascribe/kit'
import type { TryLock } from '@ascribe/kit'
import type { AuditSink, MintAudit } from '@ascribe/impersonation'
import { formatInstant } from '@ascribe/units'

/** The trail of minted and refused tokens cannot be written, so that no token may be handed out. */
export class MintLogError extends AscribeError {
  override readonly code = 'MINT_LOG_UNWRITABLE'
  override readonly retryable = true
}

/** One line of the trail. `prev` is the SHA-256 of the line before: a line that was changed or taken out shows. */
export type MintLine = {
  readonly at: string
  readonly act: MintAudit['act']
  readonly outcome: MintAudit['outcome']
  readonly reason?: string
  readonly cause: string
  readonly actor: Readonly<Record<string, string>>
  readonly owner?: string
  readonly binding_generation?: string | number
  readonly region: string
  readonly origin: string
  readonly issuer: string
  readonly client_id: string
  readonly request_id?: string
  readonly token_id?: string
  readonly token_actor?: string
  readonly life_ms?: number
  readonly prev: string
}

/** Before the first line. */
export const CHAIN_START: string = '0'.repeat(64)
/** A line is some 700 bytes; the longest has an actor of many fields. */
const TAIL_BYTES = 64 * 1024
/** In bytes at most a quarter of what is read back to find the end of the chain. */
const LINE_LENGTH_MAX = TAIL_BYTES / 4
const LOCK_TRIES_MAX = 500
const LOCK_PAUSE_MS = 10

export function digestOf(line: string): string {
  return createHash('sha256').update(line).digest('hex')
}

/**
 * Appends one line for each record to a file that only its owner may read, and resolves once it is on the disk. Several processes may
 * write to one: each takes the lock for its line.
 */
export function createMintLog(path: string, tryLock: TryLock): AuditSink {
  // One after the other, in this process; the lock is between processes.
  let last: Promise<unknown> = Promise.resolve()
  return (record) => {
    const mine = last.then(() => append(path, record, tryLock))
    last = mine.catch(() => {})
    return mine
  }
}

async function append(path: string, record: MintAudit, tryLock: TryLock): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    using _ = await lockOf(path, tryLock)
    await using file = await open(path, 'a+', 0o600)
    const { size } = await file.stat()
    const { prev, isTorn } = await endOf(file, size)
    const line = textOf(lineOf(record, prev))
    if (line.length > LINE_LENGTH_MAX)
      throw new MintLogError(`Cannot write the trail of tokens to ${path}: a record has ${line.length} characters`)
    // A line that was cut off by a crash stays as it is: a new one begins after it.
    await file.appendFile(`${isTorn ? '\n' : ''}${line}\n`)
    await file.datasync()
    if (size === 0) await syncFolder(dirname(path))
  } catch (cause) {
    if (cause instanceof AscribeError) throw cause
    throw new MintLogError(`Cannot write the trail of tokens to ${path}: ${errorCode(cause) ?? 'it failed'}`, { cause })
  }
}

async function lockOf(path: string, tryLock: TryLock): Promise<Disposable> {
  for (let tries = 0; tries < LOCK_TRIES_MAX; tries += 1) {
    const lock = tryLock(`${path}.lock`)
    if (lock !== undefined) return lock
    await delay(LOCK_PAUSE_MS)
  }
  throw new MintLogError(`Cannot write the trail of tokens to ${path}: another process holds its lock`)
}

/** What the next line follows. */
async function endOf(file: FileHandle, size: number): Promise<{ prev: string; isTorn: boolean }> {
  if (size === 0) return { prev: CHAIN_START, isTorn: false }
  const length = Math.min(size, TAIL_BYTES)
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, size - length)
  const isTorn = bytes.at(-1) !== 0x0a
  const end = isTorn ? length : length - 1
  const start = end === 0 ? -1 : bytes.lastIndexOf(0x0a, end - 1)
  return { prev: digestOf(bytes.toString('utf8', start + 1, end)), isTorn }
}

/** One line for every reader: some take these two for line ends, and JSON does not escape them. */
function textOf(line: MintLine): string {
  return JSON.stringify(line).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

function lineOf(record: MintAudit, prev: string): MintLine {
  const { at, act, outcome, reason, cause, actor, ownerUuid, bindingGeneration, region, origin, issuer, clientId } = record
  const { requestId, tokenId, tokenActor, lifeMs } = record
  return {
    at: formatInstant(at),
    act,
    outcome,
    ...(reason !== undefined && { reason }),
    cause,
    actor,
    ...(ownerUuid !== undefined && { owner: ownerUuid }),
    ...(bindingGeneration !== undefined && { binding_generation: bindingGeneration }),
    region,
    origin,
    issuer,
    client_id: clientId,
    ...(requestId !== undefined && { request_id: requestId }),
    ...(tokenId !== undefined && { token_id: tokenId }),
    ...(tokenActor !== undefined && { token_actor: tokenActor }),
    ...(lifeMs !== undefined && { life_ms: lifeMs }),
    prev,
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
