import { assert, type Clock, errorChain, errorCode, type Logger } from '@ascribe/kit'
import { JournalFullError } from './errors.ts'
import { encodeHeader, HEADER_BYTES, SEAL_BYTES, seedOf } from './frame.ts'
import { type JournalFs, writeFully } from './fs.ts'
import { listWriterFiles, segmentName } from './layout.ts'

/** A segment that a writer has open. */
export type OpenSegment = {
  readonly sequence: number
  readonly fd: number
  readonly seed: number
  /** Offset after the last frame that was encoded for it, written or not. */
  offset: number
}

/** What {@link SegmentSupply} needs. */
export type SegmentSupplyOptions = {
  readonly dir: string
  readonly writer: string
  readonly segmentBytes: number
  readonly retainedBytesMax: number
  readonly retryMs: number
  readonly fs: JournalFs
  readonly clock: Clock
  readonly logger: Logger
}

// One buffer of zeros for all writers of a process.
const ZEROS = Buffer.alloc(1 << 20)

/**
 * Prepares segments ahead: written full of zeros and synced with their size, so that the space is really ours and a later
 * fdatasync has no metadata to write. Only one is prepared at a time. A disk that is full is tried again every `retryMs`.
 */
export class SegmentSupply {
  readonly #options: SegmentSupplyOptions
  readonly #ready: OpenSegment[] = []
  readonly #sizes = new Map<number, number>()
  #nextSequence = 1
  #wanted = 0
  #preparing: Promise<void> | undefined
  #fault: JournalFullError | undefined
  #retry: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: SegmentSupplyOptions) {
    this.#options = options
  }

  /** How many prepared segments wait. */
  get readyCount(): number {
    return this.#ready.length
  }

  /** Why the last preparation failed; `undefined` after one that succeeded. */
  get fault(): JournalFullError | undefined {
    return this.#fault
  }

  /** Bytes for frames in an empty segment. */
  get capacity(): number {
    return this.#options.segmentBytes - HEADER_BYTES - SEAL_BYTES
  }

  /** Bytes of all segments that this writer made and, when last looked at, were not released. */
  get retainedBytes(): number {
    let sum = 0
    for (const size of this.#sizes.values()) sum += size
    return sum
  }

  /** Wants `count` prepared segments; starts preparing if fewer wait. Cheap when nothing is missing. */
  want(count: number): void {
    this.#wanted = count
    if (this.#ready.length < count && this.#preparing === undefined && this.#retry === undefined && !this.#stopped) {
      this.#preparing = this.#prepareWanted()
    }
  }

  /** The preparation under way, if any. Never rejects: see {@link fault}. */
  get preparing(): Promise<void> | undefined {
    return this.#preparing
  }

  /** Takes the oldest prepared segment. */
  take(): OpenSegment {
    const segment = this.#ready.shift()
    assert(segment !== undefined, 'a segment is prepared before it is needed: space for open settlements is reserved')
    return segment
  }

  /** A sealed segment was cut to `bytes`. */
  shrunk(sequence: number, bytes: number): void {
    this.#sizes.set(sequence, bytes)
  }

  /** Stops preparing and removes what was prepared and never used. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    await this.#preparing
    for (const segment of this.#ready.splice(0)) {
      this.#options.fs.close(segment.fd)
      await this.#options.fs.unlink(`${this.#options.dir}/${segmentName(segment.sequence)}`)
    }
  }

  async #prepareWanted(): Promise<void> {
    const { logger, dir } = this.#options
    try {
      while (this.#ready.length < this.#wanted && !this.#stopped) {
        await this.#checkRetained()
        const segment = await this.#prepare(this.#nextSequence)
        this.#nextSequence += 1
        this.#ready.push(segment)
        if (this.#fault !== undefined) logger.info('journal space is back', { dir })
        this.#fault = undefined
      }
    } catch (cause) {
      if (this.#fault === undefined) logger.error('journal cannot prepare a segment, intents will be refused', { dir, error: cause })
      this.#fault = cause instanceof JournalFullError ? cause : faultOf(dir, cause)
      if (!this.#stopped) this.#retryLater()
    } finally {
      this.#preparing = undefined
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.want(this.#wanted)
    }, this.#options.retryMs)
    // A process that has nothing else to do need not stay for this.
    this.#retry.unref()
  }

  /** Forgets segments that were released, by whichever process, and holds to the cap. */
  async #checkRetained(): Promise<void> {
    const { dir, segmentBytes, retainedBytesMax } = this.#options
    if (this.retainedBytes + segmentBytes <= retainedBytesMax) return
    const present = new Set((await listWriterFiles(dir)).segments)
    for (const sequence of this.#sizes.keys()) if (!present.has(sequence)) this.#sizes.delete(sequence)
    const retained = this.retainedBytes
    if (retained + segmentBytes <= retainedBytesMax) return
    throw new JournalFullError(
      `Cannot admit an intent: ${dir} holds ${retained} bytes that the settler has not released yet, at most ${retainedBytesMax} are allowed; ` +
        'the settler is behind or does not run',
    )
  }

  async #prepare(sequence: number): Promise<OpenSegment> {
    const { dir, writer, fs, segmentBytes, clock } = this.#options
    const path = `${dir}/${segmentName(sequence)}`
    const temporary = `${path}.tmp`
    await fs.unlink(temporary)
    const fd = fs.open(temporary, 'wx')
    try {
      const header = Buffer.alloc(HEADER_BYTES)
      encodeHeader(header, { writer, sequence, createdAt: clock() })
      await writeFully(fs, fd, header, 0)
      for (let at = HEADER_BYTES; at < segmentBytes; at += ZEROS.length) {
        await writeFully(fs, fd, ZEROS.subarray(0, Math.min(ZEROS.length, segmentBytes - at)), at)
      }
      await fs.fsync(fd)
      await fs.rename(temporary, path)
      await fs.syncFolder(dir)
    } catch (cause) {
      fs.close(fd)
      await fs.unlink(temporary)
      await fs.unlink(path)
      throw cause
    }
    this.#sizes.set(sequence, segmentBytes)
    return { sequence, fd, seed: seedOf(writer, sequence), offset: HEADER_BYTES }
  }
}

function faultOf(dir: string, cause: unknown): JournalFullError {
  const what = errorCode(cause) === 'ENOSPC' ? 'its disk is full; free some space' : errorChain(cause)
  return new JournalFullError(`Cannot admit an intent: no segment can be prepared in ${dir}: ${what}`, { cause })
}
