import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type FileLock, silentLogger, systemClock, type TryLock } from '@ascribe/kit'
import { createIdSource } from '@ascribe/units'
import {
  type JournalEntry,
  type JournalWriter,
  type JournalWriterOptions,
  openJournalWriter,
  type Position,
  readJournal,
  type RecoverOptions,
} from '../src/index.ts'

/** A kernel lock as the product's own is: an fcntl lock by way of SQLite. That one lives in a package of our layer. */
export const tryLock: TryLock = (path): FileLock | undefined => {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode=MEMORY')
    database.exec('BEGIN IMMEDIATE')
  } catch {
    database.close()
    return undefined
  }
  let isHeld = true
  return {
    [Symbol.dispose](): void {
      if (isHeld) database.close()
      isHeld = false
    },
  }
}

/**
 * A journal root in a folder of its own that goes with the test. `memory`: on a file system in memory where there is one, for
 * tests that make many journals and whose subject is not the disk: there fsync is free.
 */
export async function temporaryRoot(
  kind: 'disk' | 'memory' = 'disk',
): Promise<AsyncDisposable & { readonly root: string; readonly data: string }> {
  const data = await mkdtemp(join(kind === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ascribe-journal-'))
  return { data, root: join(data, 'journal'), [Symbol.asyncDispose]: () => rm(data, { recursive: true, force: true }) }
}

/** Segments that a handful of entries fill. */
export const TINY = { segmentBytes: 4096, intentBytesMax: 300, settlementBytesMax: 100 } as const

export function openWriter(root: string, options: Partial<JournalWriterOptions> = {}): Promise<JournalWriter> {
  return openJournalWriter({ root, tryLock, clock: systemClock, logger: silentLogger, ...options })
}

export const nextId: () => string = createIdSource(systemClock)

export const unknown = (eventId: string): string => JSON.stringify({ eventId, outcome: 'unknown' })

export const recovery: RecoverOptions = { tryLock, clock: systemClock, logger: silentLogger, closeIntent: unknown }

export async function readAll(dir: string, from?: Position): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  for await (const batch of readJournal(dir, from)) entries.push(...batch.entries)
  return entries
}

/** What tests compare: kind, event and payload, without places and times. */
export function contentOf(entries: readonly JournalEntry[]): string[] {
  return entries.map((entry) => `${entry.kind} ${entry.eventId} ${entry.payload}`)
}

/** Waits for a condition, not for a time; gives up after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Cannot wait any longer for: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
