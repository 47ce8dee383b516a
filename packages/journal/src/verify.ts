import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { errorCode } from '@ascribe/kit'
import { JournalCorruptError, JournalNotFoundError } from './errors.ts'
import { frameEventId, frameKind, HEADER_BYTES, headerFault } from './frame.ts'
import { realFs } from './fs.ts'
import { isWriterFolder, listWriterFiles, listWriters, segmentName } from './layout.ts'
import { isFollowed, peek, writerNameOf } from './peek.ts'
import { type JournalEntry, readJournal } from './reader.ts'
import { damageOf } from './recover.ts'
import { type Released, readReleased } from './released.ts'
import { type SegmentScan, scanSegment } from './scan.ts'

/** What {@link verifyJournal} found. */
export type JournalReport = {
  /** No violation. */
  readonly ok: boolean
  readonly writers: number
  /** Segments with entries, released ones not counted. */
  readonly segments: number
  readonly intents: number
  readonly settlements: number
  /** Intents without a settlement: of a live writer, requests under way; of a dead one, for recovery to close. */
  readonly open: number
  /** Bytes after the last whole frame of an unsealed last segment. */
  readonly tornBytes: number
  /** Bytes that earlier recoveries replaced, torn tails included. */
  readonly voidBytes: number
  /** Damaged segments, those that were set aside included. */
  readonly corrupt: number
  /** Segments that are neither there nor released. */
  readonly missing: number
  /** Event ids with two intents or two settlements. */
  readonly duplicates: number
  /** Settlements without an earlier intent. */
  readonly orphans: number
  /** One sentence for each violation, at most {@link VIOLATIONS_MAX} of them. */
  readonly violations: readonly string[]
}

/** Most violations that are written out; all are counted. */
const VIOLATIONS_MAX = 100
const INTENT = 1
const SETTLEMENT = 2

/**
 * Checks a journal against its invariants (SPEC.md I1 to I4): `path` is a journal root, one writer's folder, or a data
 * directory with a `journal` in it. Live journals too, while they are written and released. Keeps every event id in
 * memory: about 100 bytes an event.
 *
 * @throws {JournalNotFoundError} when there is no journal at `path`.
 */
export async function verifyJournal(path: string): Promise<JournalReport> {
  const verifier = new Verifier()
  const dirs = await findWriters(path)
  for (const dir of dirs) await verifier.verifyWriter(dir)
  return verifier.report(dirs.length)
}

/** The entries of all writers at `path` (as {@link verifyJournal} takes it), one writer after the other. Damage is thrown last. */
export async function* inspectJournal(path: string): AsyncGenerator<JournalEntry & { readonly writer: string }, void, undefined> {
  let damage: JournalCorruptError | undefined
  for (const dir of await findWriters(path)) {
    const writer = basename(dir)
    try {
      for await (const batch of readJournal(dir)) for (const entry of batch.entries) yield { ...entry, writer }
    } catch (cause) {
      if (!(cause instanceof JournalCorruptError)) throw cause
      damage ??= cause
    }
  }
  if (damage !== undefined) throw damage
}

async function findWriters(path: string): Promise<string[]> {
  const dir = resolve(path)
  const nested = join(dir, 'journal')
  if (await isFolder(nested)) return listWriters(nested)
  if (isWriterFolder(await listWriterFiles(dir))) return [dir]
  const writers = await listWriters(dir)
  if (writers.length === 0 && !(basename(dir) === 'journal' && (await isFolder(dir)))) {
    throw new JournalNotFoundError(
      `Cannot find a journal at ${path}: give a data directory, its journal folder, or one writer's folder in it`,
    )
  }
  return writers
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') return false
    throw cause
  }
}

class Verifier {
  /** Every event id of every writer, and what was seen of it. */
  readonly #seen = new Map<string, number>()
  readonly #violations: string[] = []
  #violationCount = 0
  #segments = 0
  #intents = 0
  #settlements = 0
  #open = 0
  #tornBytes = 0
  #voidBytes = 0
  #corrupt = 0
  #missing = 0
  #duplicates = 0
  #orphans = 0

  report(writers: number): JournalReport {
    return {
      ok: this.#violationCount === 0,
      writers,
      segments: this.#segments,
      intents: this.#intents,
      settlements: this.#settlements,
      open: this.#open,
      tornBytes: this.#tornBytes,
      voidBytes: this.#voidBytes,
      corrupt: this.#corrupt,
      missing: this.#missing,
      duplicates: this.#duplicates,
      orphans: this.#orphans,
      violations: this.#violations,
    }
  }

  async verifyWriter(dir: string): Promise<void> {
    const files = await listWriterFiles(dir)
    for (const name of files.corrupt) this.#addCorrupt(`${join(dir, name)} was set aside: look at it, then remove it`)
    const before = await this.#released(dir)
    const sequences = files.segments.filter((sequence) => !before.segments.has(sequence))
    const walk = new WriterWalk(dir, this.#seen)
    const writer = await writerNameOf(dir, sequences)
    let last = 0
    for (const sequence of sequences) {
      last = sequence
      if (!(await this.#verifySegment(walk, { writer, sequence }))) break
    }
    for (const sequence of sequences) if (sequence > last) await this.#verifyPrepared(dir, { writer, sequence })
    // Segments may have been released meanwhile; the record of it explains what then seems to be missing.
    const released = await this.#released(dir)
    this.#missingSegments(dir, { sequences, vanished: walk.vanished, released })
    this.#conclude(walk, released)
  }

  async #released(dir: string): Promise<Released> {
    try {
      return await readReleased(realFs, dir)
    } catch (cause) {
      if (!(cause instanceof JournalCorruptError)) throw cause
      this.#addCorrupt(cause.message)
      return { segments: new Set(), intents: new Set(), settlements: new Set() }
    }
  }

  /** Gives whether the walk goes on: not past the segment that is being written. */
  async #verifySegment(walk: WriterWalk, segment: { readonly writer: string; readonly sequence: number }): Promise<boolean> {
    const path = join(walk.dir, segmentName(segment.sequence))
    // Asked before reading: if so, what is read is sealed unless it is damaged.
    const followed = await isFollowed(walk.dir, segment.sequence)
    const read = await readSettled(path, { ...segment, followed })
    if (read === undefined) {
      walk.vanished.push(segment.sequence)
      return true
    }
    const { buffer, scan } = read
    scanSegment(buffer, segment, (bytes, at) =>
      walk.note({ kind: frameKind(bytes, at), eventId: frameEventId(bytes, at), sequence: segment.sequence }),
    )
    const damage = damageOf(scan, !followed)
    if (damage !== undefined) this.#addCorrupt(`${path} is corrupt: ${damage}`)
    this.#segments += 1
    this.#voidBytes += scan.voidBytes
    if (!followed) this.#tornBytes += scan.tornBytes
    return followed
  }

  /** A segment that waits for its first frame: only its header can be wrong. */
  async #verifyPrepared(dir: string, segment: { readonly writer: string; readonly sequence: number }): Promise<void> {
    const path = join(dir, segmentName(segment.sequence))
    const header = await peek(path, 0, HEADER_BYTES)
    const fault = header === undefined ? undefined : headerFault(header, segment.writer, segment.sequence)
    if (fault !== undefined) this.#addCorrupt(`${path} is corrupt: ${fault}`)
  }

  #missingSegments(
    dir: string,
    found: { readonly sequences: readonly number[]; readonly vanished: readonly number[]; readonly released: Released },
  ): void {
    const present = new Set(found.sequences)
    for (const sequence of found.vanished) present.delete(sequence)
    const last = found.sequences.at(-1) ?? 0
    for (let sequence = 1; sequence <= last; sequence += 1) {
      if (present.has(sequence) || found.released.segments.has(sequence)) continue
      this.#missing += 1
      this.#violate(`${join(dir, segmentName(sequence))} is missing and was not released`)
    }
  }

  #conclude(walk: WriterWalk, released: Released): void {
    this.#intents += walk.intents
    this.#settlements += walk.settlements
    for (const [eventId, sequence] of walk.open) {
      if (!released.settlements.has(eventId) && !released.segments.has(sequence)) this.#open += 1
    }
    for (const { eventId, sequence } of walk.unpaired) {
      if (released.intents.has(eventId) || released.segments.has(sequence)) continue
      this.#orphans += 1
      this.#violate(`${walk.dir}: the settlement of ${eventId} has no earlier intent`)
    }
    for (const text of walk.duplicates) this.#violate(text)
    this.#duplicates += walk.duplicates.length
  }

  #addCorrupt(text: string): void {
    this.#corrupt += 1
    this.#violate(text)
  }

  #violate(text: string): void {
    this.#violationCount += 1
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text)
  }
}

/** The entries of one writer, in order. */
class WriterWalk {
  readonly dir: string
  readonly vanished: number[] = []
  readonly open = new Map<string, number>()
  readonly unpaired: { readonly eventId: string; readonly sequence: number }[] = []
  readonly duplicates: string[] = []
  intents = 0
  settlements = 0
  readonly #seen: Map<string, number>

  constructor(dir: string, seen: Map<string, number>) {
    this.dir = dir
    this.#seen = seen
  }

  note(entry: { readonly kind: string; readonly eventId: string; readonly sequence: number }): void {
    const { eventId, sequence } = entry
    const seen = this.#seen.get(eventId) ?? 0
    if (entry.kind === 'intent') {
      this.intents += 1
      if ((seen & INTENT) !== 0) this.duplicates.push(`${this.dir}: ${eventId} has two intents`)
      else this.open.set(eventId, sequence)
      this.#seen.set(eventId, seen | INTENT)
      return
    }
    this.settlements += 1
    const paired = this.open.delete(eventId)
    if ((seen & SETTLEMENT) !== 0) this.duplicates.push(`${this.dir}: ${eventId} has two settlements`)
    else if (!paired) this.unpaired.push({ eventId, sequence })
    this.#seen.set(eventId, seen | SETTLEMENT)
  }
}

/**
 * Reads a whole segment. What looks damaged is read once more: a write that was met half-way shows its end before its
 * beginning, because reading is not atomic. `undefined`: released meanwhile.
 */
async function readSettled(
  path: string,
  segment: { readonly writer: string; readonly sequence: number; readonly followed: boolean },
): Promise<{ readonly buffer: Buffer; readonly scan: SegmentScan } | undefined> {
  try {
    let buffer = await realFs.readFile(path)
    let scan = scanSegment(buffer, segment)
    if (damageOf(scan, !segment.followed) !== undefined) {
      buffer = await realFs.readFile(path)
      scan = scanSegment(buffer, segment)
    }
    return { buffer, scan }
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}
