import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '@ascribe/kit'
import { JournalCorruptError } from './errors.ts'
import {
  FRAME_BYTES,
  frameBytesClaimed,
  frameEnd,
  frameEventId,
  frameKind,
  framePayload,
  frameWrittenAt,
  HEADER_BYTES,
  headerFault,
  nextFrame,
  PAYLOAD_BYTES_MAX,
  SEAL_BYTES,
  seedOf,
} from './frame.ts'
import { realFs } from './fs.ts'
import { listWriterFiles, type Position, segmentName } from './layout.ts'
import { isFollowed, writerNameOf } from './peek.ts'
import { readReleased } from './released.ts'

/** One intent or settlement, as it was written. */
export type JournalEntry = {
  readonly kind: 'intent' | 'settlement'
  readonly eventId: string
  /** UTC epoch milliseconds. */
  readonly writtenAt: number
  readonly payload: string
  readonly segment: number
  /** Offset in the segment after this entry: `{ segment, offset: end }` is where reading goes on. */
  readonly end: number
}

/** Entries in order, and where to go on after them. `next` may be past a seal, hence further than the last entry. */
export type JournalBatch = { readonly entries: readonly JournalEntry[]; readonly next: Position }

/** Bounds of one batch. */
export type ReadOptions = {
  /** Default 5,000. */
  readonly entriesMax?: number
  /** Bytes of frames, at least one frame goes in whatever its size. Default and at most 4 MiB. */
  readonly bytesMax?: number
  /** Whose payloads the caller wants; those of others are empty, which saves making them. Default `all`. */
  readonly payloads?: 'all' | 'settlements' | 'none'
}

type Bounds = Required<ReadOptions>

const WINDOW_BYTES = 4 << 20
const WHOLE_BYTES_MAX = 1 << 30

/**
 * Reads a writer's journal in order, from the oldest segment or from a position that an earlier batch gave as `next` or that an entry ends at.
 * Ends at the first frame that is not there yet; on a live journal a later call from the last `next` goes on. Released
 * segments are passed over.
 *
 * @throws {JournalCorruptError} at damage, after everything before it was given.
 */
export async function* readJournal(dir: string, from?: Position, options: ReadOptions = {}): AsyncGenerator<JournalBatch, void, undefined> {
  const bytesMax = Math.min(options.bytesMax ?? WINDOW_BYTES, WINDOW_BYTES)
  const bounds: Bounds = { entriesMax: options.entriesMax ?? 5000, bytesMax, payloads: options.payloads ?? 'all' }
  // One buffer for the whole walk; payloads are copied out of it as strings.
  const window = Buffer.allocUnsafeSlow(bytesMax + FRAME_BYTES + PAYLOAD_BYTES_MAX)
  let position = from
  for (;;) {
    const segment = await segmentAt(dir, position)
    if (segment === undefined) return
    position = segment
    let handle: FileHandle
    try {
      handle = await open(join(dir, segmentName(segment.segment)), 'r')
    } catch (cause) {
      // Released since it was listed: look again what comes next.
      if (errorCode(cause) === 'ENOENT') continue
      throw cause
    }
    await using file = handle
    const writer = await writerNameOf(dir, [segment.segment])
    const reader = new SegmentReader({ dir, writer, file, sequence: segment.segment, window, bounds })
    await reader.checkHeader()
    for (;;) {
      const read = await reader.read(position.offset)
      const sealed = read.sealed
      position = sealed ? { segment: segment.segment + 1, offset: 0 } : { segment: segment.segment, offset: read.offset }
      if (read.entries.length > 0 || sealed) yield { entries: read.entries, next: position }
      if (sealed) break
      if (read.entries.length === 0) return
    }
  }
}

function wants(payloads: Bounds['payloads'], kind: JournalEntry['kind']): boolean {
  return payloads === 'all' || (payloads === 'settlements' && kind === 'settlement')
}

/** The first segment at or after `position` that was not released, and where in it to begin; `undefined`: there is none yet. */
async function segmentAt(dir: string, position: Position | undefined): Promise<Position | undefined> {
  // In this order: a segment is recorded as released before it is removed, so one that is missing from the list is in the record.
  const { segments } = await listWriterFiles(dir)
  const released = (await readReleased(realFs, dir)).segments
  const wanted = position?.segment ?? 1
  const sequence = segments.find((each) => each >= wanted && !released.has(each))
  if (sequence === undefined) return undefined
  for (let each = wanted; each < sequence; each += 1) {
    if (!released.has(each)) {
      const options = { segment: each, offset: 0 }
      throw new JournalCorruptError(`Cannot read ${join(dir, segmentName(each))}: it is missing and was not released`, options)
    }
  }
  return { segment: sequence, offset: position?.segment === sequence ? Math.max(position.offset, HEADER_BYTES) : HEADER_BYTES }
}

type SegmentRead = { readonly entries: JournalEntry[]; readonly offset: number; readonly sealed: boolean }

class SegmentReader {
  readonly #dir: string
  readonly #writer: string
  readonly #file: FileHandle
  readonly #sequence: number
  readonly #seed: number
  readonly #window: Buffer
  readonly #bounds: Bounds

  constructor(options: {
    readonly dir: string
    readonly writer: string
    readonly file: FileHandle
    readonly sequence: number
    readonly window: Buffer
    readonly bounds: Bounds
  }) {
    this.#dir = options.dir
    this.#writer = options.writer
    this.#file = options.file
    this.#sequence = options.sequence
    this.#seed = seedOf(options.writer, options.sequence)
    this.#window = options.window
    this.#bounds = options.bounds
  }

  async checkHeader(): Promise<void> {
    const buffer = await this.#fetch(this.#window.subarray(0, HEADER_BYTES), 0)
    const fault = headerFault(buffer, this.#writer, this.#sequence)
    if (fault !== undefined) throw this.#corrupt(0, fault)
  }

  /** Reads entries from `offset` on, up to the bounds. None and not sealed: nothing more is there yet. */
  async read(offset: number): Promise<SegmentRead> {
    const buffer = await this.#fetch(this.#window, offset)
    const entries: JournalEntry[] = []
    let at = 0
    while (entries.length < this.#bounds.entriesMax && at < this.#bounds.bytesMax) {
      const end = frameEnd(buffer, at, this.#seed)
      if (end === 0) break
      const kind = frameKind(buffer, at)
      if (kind === 'seal') return { entries, offset: offset + end, sealed: true }
      if (kind === 'intent' || kind === 'settlement') {
        const payload = wants(this.#bounds.payloads, kind) ? framePayload(buffer, at, end) : ''
        const eventId = frameEventId(buffer, at)
        entries.push({ kind, eventId, writtenAt: frameWrittenAt(buffer, at), payload, segment: this.#sequence, end: offset + end })
      }
      at = end
    }
    if (entries.length > 0) return { entries, offset: offset + at, sealed: false }
    // Only void frames so far: they give no entry, and reading must not end at them.
    if (at > 0) return this.read(offset + at)
    const aligned = await this.#align(offset)
    if (aligned !== undefined) return this.read(aligned)
    await this.#judgeEnd(offset, buffer)
    return { entries, offset, sealed: false }
  }

  /**
   * Where to go on when `offset` was a frame's end and recovery has since put a `void` frame there, or cut the segment
   * before it; `undefined` when that is not why no frame begins there. Recovery leaves a file that ends in its seal.
   */
  async #align(offset: number): Promise<number | undefined> {
    const { size } = await this.#file.stat()
    const seal = Buffer.alloc(SEAL_BYTES)
    const sealAt = size - SEAL_BYTES
    if (sealAt < HEADER_BYTES || frameEnd(await this.#fetch(seal, sealAt), 0, this.#seed) === 0 || frameKind(seal, 0) !== 'seal')
      return undefined
    if (offset >= sealAt) return offset === sealAt ? undefined : sealAt
    const buffer = await this.#fetch(Buffer.allocUnsafeSlow(Math.min(size, WHOLE_BYTES_MAX)), 0)
    let at = HEADER_BYTES
    while (at < offset) {
      const end = frameEnd(buffer, at, this.#seed)
      if (end === 0) return undefined
      if (end > offset) return frameKind(buffer, at) === 'void' ? end : undefined
      at = end
    }
    return undefined
  }

  /** No valid frame begins at `offset`: throws if one must, or if one did. */
  async #judgeEnd(offset: number, buffer: Buffer): Promise<void> {
    const followed = await isFollowed(this.#dir, this.#sequence)
    const blank = buffer.length < FRAME_BYTES || buffer.subarray(0, FRAME_BYTES).every((byte) => byte === 0)
    if (blank && !followed) return
    // A write that we met half-way shows its end before its beginning, because reading is not atomic. What was complete
    // when we looked first is whole when we look again, since a writer fills a segment in order.
    const before = followed || (await this.#resumes(offset))
    const again = await this.#fetch(this.#window, offset)
    if (frameEnd(again, 0, this.#seed) !== 0 || !before) return
    const claimed = frameBytesClaimed(again, 0)
    throw this.#corrupt(
      offset,
      claimed === 0 ? 'no frame begins there and more was written after it' : `the frame of ${claimed} bytes there does not check out`,
    )
  }

  /** Whether a valid frame comes after `offset` in this segment. */
  async #resumes(offset: number): Promise<boolean> {
    const { size } = await this.#file.stat()
    const rest = Buffer.allocUnsafeSlow(Math.min(Math.max(0, size - offset), WHOLE_BYTES_MAX))
    return nextFrame(await this.#fetch(rest, offset), FRAME_BYTES, this.#seed) !== -1
  }

  async #fetch(into: Buffer, position: number): Promise<Buffer> {
    let done = 0
    while (done < into.length) {
      const { bytesRead } = await this.#file.read(into, done, into.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return into.subarray(0, done)
  }

  #corrupt(offset: number, what: string): JournalCorruptError {
    const path = join(this.#dir, segmentName(this.#sequence))
    return new JournalCorruptError(`Cannot read ${path} at byte ${offset}: ${what}`, { segment: this.#sequence, offset })
  }
}
