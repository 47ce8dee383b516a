import { join } from 'node:path'
import { AssertionError, type Clock, errorCode, type Logger, type TryLock } from '@ascribe/kit'
import {
  encodeFrame,
  encodeHeader,
  encodeVoid,
  FRAME_BYTES,
  frameEventId,
  frameKind,
  framePayload,
  HEADER_BYTES,
  NO_EVENT_ID,
  SEAL_PAYLOAD,
  seedOf,
  textBytes,
} from './frame.ts'
import { type JournalFs, realFs, replaceFile } from './fs.ts'
import { listWriterFiles, lockFolder, segmentName } from './layout.ts'
import { writerNameOf } from './peek.ts'
import { readReleased } from './released.ts'
import { hasData, type SegmentScan, scanSegment } from './scan.ts'

/** What {@link recoverWriter} takes. */
export type RecoverOptions = {
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  /** Makes the payload that settles an intent whose process died. `at`: now, UTC epoch milliseconds. */
  readonly closeIntent: (eventId: string, intentPayload: string, at: number) => string
  /** Default: the machine's disk. */
  readonly fs?: JournalFs
}

/** What recovery found and did. Everything is 0 when there was nothing to do. */
export type Recovery = {
  /** `alive`: a process holds the writer's lock, nothing was done. `gone`: the folder does not exist any more. */
  readonly outcome: 'recovered' | 'alive' | 'gone'
  /** Intents that were closed now. */
  readonly closed: number
  /** Bytes of a torn tail that were cut. */
  readonly tornBytes: number
  /** Names under which damaged segments were set aside now. */
  readonly corrupt: readonly string[]
  /** Valid frames that were saved from damaged segments. */
  readonly salvaged: number
  /** Bytes that could not be saved. */
  readonly lostBytes: number
  /** Segments that are missing without having been released. */
  readonly missing: number
}

type Draft = { closed: number; tornBytes: number; corrupt: string[]; salvaged: number; lostBytes: number; missing: number }

/**
 * Brings a dead writer's journal to its end: cuts a torn tail, sets damaged segments aside and salvages what checks out,
 * settles every open intent through `closeIntent`, and seals. Durable on return. Doing it again changes nothing; it may be
 * killed at any moment and done again. Offsets of what was readable before stay as they were.
 *
 * @throws {JournalCorruptError} when the record of released segments is damaged; the file system's errors. Either way nothing is lost.
 */
export async function recoverWriter(dir: string, options: RecoverOptions): Promise<Recovery> {
  const draft: Draft = { closed: 0, tornBytes: 0, corrupt: [], salvaged: 0, lostBytes: 0, missing: 0 }
  const lock = lockFolder(dir, options.tryLock)
  if (lock === 'alive' || lock === 'gone') return { outcome: lock, ...draft }
  using _ = lock
  await new Recoverer(dir, options, draft).run()
  return { outcome: 'recovered', ...draft }
}

class Recoverer {
  readonly #dir: string
  #writer = ''
  readonly #options: RecoverOptions
  readonly #fs: JournalFs
  readonly #draft: Draft
  /** Intents without a settlement so far, and their payloads. */
  readonly #open = new Map<string, string>()

  constructor(dir: string, options: RecoverOptions, draft: Draft) {
    this.#dir = dir
    this.#options = options
    this.#fs = options.fs ?? realFs
    this.#draft = draft
  }

  async run(): Promise<void> {
    // In this order: a segment is recorded as released before it is removed. One that goes later fails this run, not its result.
    const files = await listWriterFiles(this.#dir)
    const released = await readReleased(this.#fs, this.#dir)
    this.#writer = await writerNameOf(this.#dir, files.segments)
    for (const name of files.temporary) await this.#fs.unlink(join(this.#dir, name))
    const sequences = files.segments.filter((sequence) => !released.segments.has(sequence))
    this.#reportMissing(sequences, released.segments)
    const last = await this.#dropPrepared(sequences)
    for (const sequence of sequences) {
      if (sequence > last) break
      await this.#recoverSegment(sequence, { isLast: sequence === last, settled: released.settlements })
    }
    // Only when the last segment was sealed with intents open: a writer that was closed in the midst of requests.
    if (this.#open.size > 0) await this.#appendSegment(last + 1)
  }

  #reportMissing(sequences: readonly number[], released: ReadonlySet<number>): void {
    const last = sequences.at(-1) ?? 0
    const present = new Set(sequences)
    for (let sequence = 1; sequence < last; sequence += 1) {
      if (present.has(sequence) || released.has(sequence)) continue
      this.#draft.missing += 1
      this.#options.logger.error('journal segment is missing', { path: join(this.#dir, segmentName(sequence)) })
    }
  }

  /** Removes prepared segments that never got a frame, so that the last one is the one that was written last. Gives its sequence, or 0. */
  async #dropPrepared(sequences: readonly number[]): Promise<number> {
    for (const sequence of sequences.toReversed()) {
      const scan = scanSegment(await this.#read(sequence), { writer: this.#writer, sequence })
      if (hasData(scan) || scan.headerFault !== undefined) return sequence
      await this.#fs.unlink(join(this.#dir, segmentName(sequence)))
    }
    return 0
  }

  async #recoverSegment(sequence: number, context: { readonly isLast: boolean; readonly settled: ReadonlySet<string> }): Promise<void> {
    const buffer = await this.#read(sequence)
    const scan = scanSegment(buffer, { writer: this.#writer, sequence }, (bytes, at, end) =>
      this.#track(bytes, { at, end, settled: context.settled }),
    )
    const damage = damageOf(scan, context.isLast)
    if (damage === undefined && scan.sealed) return
    if (damage === undefined) this.#reportTorn(sequence, scan)
    else await this.#setAside(sequence, scan, damage)
    const closures = context.isLast && !scan.sealed ? this.#closures(sequence) : []
    await this.#replace(
      sequence,
      Buffer.concat([mended(buffer, scan, { writer: this.#writer, sequence, createdAt: this.#options.clock() }), ...closures]),
      scan.sealed,
    )
    this.#draft.closed += closures.length
    if (closures.length > 0) this.#open.clear()
  }

  #track(buffer: Buffer, frame: { readonly at: number; readonly end: number; readonly settled: ReadonlySet<string> }): void {
    const eventId = frameEventId(buffer, frame.at)
    if (frameKind(buffer, frame.at) === 'settlement') this.#open.delete(eventId)
    else if (!frame.settled.has(eventId)) this.#open.set(eventId, framePayload(buffer, frame.at, frame.end))
  }

  #reportTorn(sequence: number, scan: SegmentScan): void {
    if (scan.tornBytes === 0) return
    this.#draft.tornBytes += scan.tornBytes
    const path = join(this.#dir, segmentName(sequence))
    this.#options.logger.warn('journal has a torn tail, cut', { path, offset: scan.end, bytes: scan.tornBytes })
  }

  /** Keeps the damaged file under a second name, before its first name goes to what was saved from it. */
  async #setAside(sequence: number, scan: SegmentScan, damage: string): Promise<void> {
    const lost = scan.gaps.reduce((sum, gap) => sum + gap.end - gap.start, scan.tornBytes)
    this.#draft.salvaged += scan.entries
    this.#draft.lostBytes += lost
    const name = await this.#linkAside(segmentName(sequence))
    this.#draft.corrupt.push(name)
    const path = join(this.#dir, name)
    this.#options.logger.error('journal segment is corrupt, set aside', { path, damage, salvaged: scan.entries, lostBytes: lost })
  }

  async #linkAside(segment: string): Promise<string> {
    // A crash between link and replacement leaves a name more for the same damage; nothing is ever overwritten.
    for (let attempt = 0; ; attempt += 1) {
      const name = attempt === 0 ? `${segment}.corrupt` : `${segment}.corrupt.${attempt}`
      try {
        await this.#fs.link(join(this.#dir, segment), join(this.#dir, name))
        await this.#fs.syncFolder(this.#dir)
        return name
      } catch (cause) {
        if (errorCode(cause) !== 'EEXIST') throw cause
        if (await this.#isSameFile(segment, name)) return name
      }
    }
  }

  async #isSameFile(segment: string, name: string): Promise<boolean> {
    const [one, other] = await Promise.all([this.#fs.readFile(join(this.#dir, segment)), this.#fs.readFile(join(this.#dir, name))])
    return one.equals(other)
  }

  /** The settlement frames of all open intents, each a buffer. */
  #closures(sequence: number): Buffer[] {
    const seed = seedOf(this.#writer, sequence)
    const at = this.#options.clock()
    return Array.from(this.#open, ([eventId, intent]) => {
      const payload = this.#options.closeIntent(eventId, intent, at)
      if (typeof payload !== 'string') throw new AssertionError('closeIntent() gives the payload of a settlement')
      return frameOf({ kind: 'settlement', eventId, writtenAt: at, payload }, seed)
    })
  }

  async #appendSegment(sequence: number): Promise<void> {
    const closures = this.#closures(sequence)
    const header = Buffer.alloc(HEADER_BYTES)
    encodeHeader(header, { writer: this.#writer, sequence, createdAt: this.#options.clock() })
    await this.#replace(sequence, Buffer.concat([header, ...closures]), false)
    this.#draft.closed += closures.length
  }

  async #replace(sequence: number, frames: Buffer, sealed: boolean): Promise<void> {
    const seal = frameOf(
      { kind: 'seal', eventId: NO_EVENT_ID, writtenAt: this.#options.clock(), payload: SEAL_PAYLOAD },
      seedOf(this.#writer, sequence),
    )
    const content = sealed ? frames : Buffer.concat([frames, seal])
    await replaceFile(this.#fs, { dir: this.#dir, name: segmentName(sequence), content })
  }

  #read(sequence: number): Promise<Buffer> {
    return this.#fs.readFile(join(this.#dir, segmentName(sequence)))
  }
}

/** Why a segment is damaged and not merely torn; `undefined`: it is not (SPEC.md section 5). */
export function damageOf(scan: SegmentScan, isLast: boolean): string | undefined {
  if (scan.headerFault !== undefined) return scan.headerFault
  if (scan.gaps.length > 0) return 'valid frames come after one that does not check out'
  if (!scan.sealed && !isLast) return 'it has no seal and later segments were written'
  return undefined
}

/**
 * The segment's valid frames at the offsets that they had, under a good header. What is lost between them and after them
 * becomes `void` frames, so that a position which a reader remembers keeps its meaning.
 */
function mended(
  buffer: Buffer,
  scan: SegmentScan,
  header: { readonly writer: string; readonly sequence: number; readonly createdAt: number },
): Buffer {
  const seed = seedOf(header.writer, header.sequence)
  const tail = scan.tornBytes === 0 ? 0 : Math.max(scan.tornBytes, FRAME_BYTES)
  const copy = Buffer.alloc(scan.end + tail)
  buffer.copy(copy, 0, 0, scan.end)
  if (scan.headerFault !== undefined) encodeHeader(copy, header)
  for (const gap of scan.gaps) encodeVoid(copy, gap.start, gap.end - gap.start, seed)
  if (tail > 0) encodeVoid(copy, scan.end, tail, seed)
  return copy
}

function frameOf(
  frame: { readonly kind: 'settlement' | 'seal'; readonly eventId: string; readonly writtenAt: number; readonly payload: string },
  seed: number,
): Buffer {
  const buffer = Buffer.alloc(FRAME_BYTES + textBytes(frame.payload))
  encodeFrame(buffer, 0, frame, seed)
  return buffer
}
