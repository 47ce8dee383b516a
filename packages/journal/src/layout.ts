import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, type TryLock } from '@ascribe/kit'

/** A place between two frames. `offset` 0 is the beginning of the segment. Orders by segment, then offset. */
export type Position = { readonly segment: number; readonly offset: number }

/** The lock that a writer holds for its life. */
export const LOCK_FILE = 'lock'
/** What was released and may not be missed; see SPEC.md section 7. */
export const RELEASED_FILE = 'released'

const SEGMENT_NAME = /^(\d{20})\.seg$/
const CORRUPT_NAME = /^\d{20}\.seg\.corrupt(?:\.\d+)?$/
const WRITER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Whether `text` can name a writer: 1 to 100 letters, digits, dots, dashes and underscores, the first a letter or digit. */
export function isWriterName(text: string): boolean {
  return WRITER_NAME.test(text)
}

/** File name of a segment. */
export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(20, '0')}.seg`
}

/** What a writer's folder holds. Foreign files are left out and left alone. */
export type WriterFiles = {
  /** Sequences of the segments, ascending. */
  readonly segments: readonly number[]
  /** Names of segments that were set aside. */
  readonly corrupt: readonly string[]
  /** Names of half-made segments that a crash left. */
  readonly temporary: readonly string[]
  readonly hasLock: boolean
  readonly hasReleased: boolean
}

/** Lists a writer's folder; a folder that is gone is empty. */
export async function listWriterFiles(dir: string): Promise<WriterFiles> {
  const names = await namesIn(dir)
  const segments: number[] = []
  for (const name of names) {
    const digits = SEGMENT_NAME.exec(name)?.[1]
    if (digits !== undefined) segments.push(Number(digits))
  }
  return {
    segments: segments.sort((a, b) => a - b),
    corrupt: names.filter((name) => CORRUPT_NAME.test(name)).sort(),
    temporary: names.filter((name) => name.endsWith('.tmp') && SEGMENT_NAME.test(name.slice(0, -4))),
    hasLock: names.includes(LOCK_FILE),
    hasReleased: names.includes(RELEASED_FILE),
  }
}

/** Whether a folder is a writer's: it has a lock, segments or a record of released ones. */
export function isWriterFolder(files: WriterFiles): boolean {
  return files.segments.length > 0 || files.corrupt.length > 0 || files.hasLock || files.hasReleased
}

/** The folders of all writers under a journal root, sorted by name; none when the root is missing. */
export async function listWriters(root: string): Promise<string[]> {
  const dirs: string[] = []
  for (const name of (await namesIn(root)).sort()) {
    if (!isWriterName(name)) continue
    const dir = join(root, name)
    if (isWriterFolder(await listWriterFiles(dir))) dirs.push(dir)
  }
  return dirs
}

/**
 * Whether no process writes to the folder: its lock can be had. Takes the lock for a moment; a folder that is gone is dead.
 * Once a folder has a segment the answer stays true, for a writer takes no folder over.
 */
export function isWriterDead(dir: string, tryLock: TryLock): boolean {
  const held = lockFolder(dir, tryLock)
  if (held === 'alive') return false
  if (held !== 'gone') held[Symbol.dispose]()
  return true
}

/** Takes the lock of an existing folder. */
export function lockFolder(dir: string, tryLock: TryLock): Disposable | 'alive' | 'gone' {
  try {
    return tryLock(join(dir, LOCK_FILE)) ?? 'alive'
  } catch (cause) {
    if (!existsSync(dir)) return 'gone'
    throw cause
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (cause) {
    const code = errorCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw cause
  }
}
