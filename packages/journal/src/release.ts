import { join } from 'node:path'
import { errorCode, type TryLock } from '@ascribe/kit'
import { JournalCorruptError } from './errors.ts'
import { type JournalFs, realFs } from './fs.ts'
import { isWriterFolder, listWriterFiles, LOCK_FILE, lockFolder, type Position, RELEASED_FILE, segmentName } from './layout.ts'
import { type JournalEntry, readJournal } from './reader.ts'
import { type Released, readReleased, writeReleased } from './released.ts'

/** What {@link createReleaser} takes. */
export type ReleaserOptions = {
  readonly tryLock: TryLock
  /** Default: the machine's disk. */
  readonly fs?: JournalFs
}

/** What one release did. */
export type Release = {
  /** Segments that were deleted now. */
  readonly segments: number
  /** Whether the whole folder went, because its writer is dead and everything in it was committed. */
  readonly removed: boolean
}

/** Deletes what is settled and committed of one writer's folder. At most one of them for a folder at a time. */
export type Releaser = {
  /**
   * Deletes the sealed segments whose every intent is settled before `committed` and whose every settlement lies before it.
   * `committed` never goes back. Reads each entry once in its life; a release that is cut off is finished by the next.
   */
  release(committed: Position): Promise<Release>
}

/** Makes a releaser, which remembers what it has read from one release to the next. */
export function createReleaser(dir: string, options: ReleaserOptions): Releaser {
  return new FolderReleaser(dir, options)
}

/** One release by a new releaser: reads the whole folder up to `committed`. */
export function releaseSegments(dir: string, committed: Position, options: ReleaserOptions): Promise<Release> {
  return createReleaser(dir, options).release(committed)
}

/** What is known of a segment that was read. */
type SegmentNote = {
  /** Intents of it that are not settled. */
  open: number
  /** Its intents that another segment settles: event and that segment, {@link GONE} when it was released. */
  readonly intents: Map<string, number>
  /** Its settlements whose intent is in another segment. */
  readonly settlements: Map<string, number>
}

// No segment has this number: it stands for all that were released before this releaser began.
const GONE = 0

class FolderReleaser implements Releaser {
  readonly #dir: string
  readonly #fs: JournalFs
  readonly #tryLock: TryLock
  readonly #notes = new Map<number, SegmentNote>()
  /** Open intents and their segments. */
  readonly #open = new Map<string, number>()
  #position: Position | undefined
  #released: Released | undefined

  constructor(dir: string, options: ReleaserOptions) {
    this.#dir = dir
    this.#fs = options.fs ?? realFs
    this.#tryLock = options.tryLock
  }

  async release(committed: Position): Promise<Release> {
    const before = this.#released ?? (await readReleased(this.#fs, this.#dir))
    this.#released = before
    await this.#catchUp(committed, before)
    const files = await listWriterFiles(this.#dir)
    const leaving = files.segments.filter((sequence) => !before.segments.has(sequence) && this.#isDone(sequence))
    if (leaving.length > 0) {
      const after = this.#after(before, leaving)
      await writeReleased(this.#fs, this.#dir, after)
      this.#released = after
      for (const sequence of leaving) this.#notes.delete(sequence)
    }
    const gone = this.#released.segments
    const deleted = files.segments.filter((sequence) => gone.has(sequence))
    for (const sequence of deleted) await this.#fs.unlink(join(this.#dir, segmentName(sequence)))
    if (deleted.length > 0) await this.#fs.syncFolder(this.#dir)
    const isEmpty = files.corrupt.length === 0 && files.segments.length === deleted.length && isWriterFolder(files)
    return { segments: deleted.length, removed: isEmpty && (await this.#removeFolder(gone)) }
  }

  /** Notes everything from where it stopped up to `committed`. A seal right after that counts as read. */
  async #catchUp(committed: Position, released: Released): Promise<void> {
    try {
      for await (const batch of readJournal(this.#dir, this.#position, { payloads: 'none' })) {
        for (const entry of batch.entries) {
          if (entry.segment > committed.segment || (entry.segment === committed.segment && entry.end > committed.offset)) return
          this.#note(entry, released)
          this.#position = { segment: entry.segment, offset: entry.end }
        }
        this.#position = batch.next
      }
    } catch (cause) {
      // Damage ends what can be released; who reads for the ledger meets it too, and reports it.
      if (!(cause instanceof JournalCorruptError)) throw cause
    }
  }

  #note(entry: JournalEntry, released: Released): void {
    const { eventId, segment } = entry
    const note = this.#noteOf(segment)
    if (entry.kind === 'intent') {
      if (released.settlements.has(eventId)) note.intents.set(eventId, GONE)
      else {
        this.#open.set(eventId, segment)
        note.open += 1
      }
      return
    }
    const intended = this.#open.get(eventId) ?? GONE
    this.#open.delete(eventId)
    if (intended !== segment) note.settlements.set(eventId, intended)
    if (intended === GONE) return
    const other = this.#noteOf(intended)
    other.open -= 1
    if (intended !== segment) other.intents.set(eventId, segment)
  }

  #noteOf(sequence: number): SegmentNote {
    const known = this.#notes.get(sequence)
    if (known !== undefined) return known
    const note: SegmentNote = { open: 0, intents: new Map(), settlements: new Map() }
    this.#notes.set(sequence, note)
    return note
  }

  /** Whether a segment was read to its seal and holds no open intent. */
  #isDone(sequence: number): boolean {
    if (this.#position === undefined || sequence >= this.#position.segment) return false
    return (this.#notes.get(sequence)?.open ?? 0) === 0
  }

  #after(before: Released, leaving: readonly number[]): Released {
    const segments = new Set([...before.segments, ...leaving])
    const intents = new Set(before.intents)
    const settlements = new Set(before.settlements)
    for (const sequence of leaving) {
      const note = this.#notes.get(sequence)
      for (const [eventId, other] of note?.intents ?? []) {
        if (other === GONE || segments.has(other)) settlements.delete(eventId)
        else intents.add(eventId)
      }
      for (const [eventId, other] of note?.settlements ?? []) {
        if (other === GONE || segments.has(other)) intents.delete(eventId)
        else settlements.add(eventId)
      }
    }
    return { segments, intents, settlements }
  }

  async #removeFolder(gone: ReadonlySet<number>): Promise<boolean> {
    const lock = lockFolder(this.#dir, this.#tryLock)
    if (lock === 'alive' || lock === 'gone') return lock === 'gone'
    using _ = lock
    // Looked at again under the lock: the writer may have gone on until it died.
    const files = await listWriterFiles(this.#dir)
    if (files.corrupt.length > 0 || files.segments.some((sequence) => !gone.has(sequence))) return false
    for (const name of [...files.temporary, ...files.segments.map(segmentName), LOCK_FILE, `${RELEASED_FILE}.tmp`, RELEASED_FILE]) {
      await this.#fs.unlink(join(this.#dir, name))
    }
    try {
      await this.#fs.rmdir(this.#dir)
    } catch (cause) {
      // Foreign files are not ours to delete.
      if (errorCode(cause) !== 'ENOTEMPTY') throw cause
    }
    return true
  }
}
