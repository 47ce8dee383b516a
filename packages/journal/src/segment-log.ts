import { assert, type Clock, type Logger } from '@ascribe/kit'
import { type Batch, BatchQueue, type NewFrame } from './batch-queue.ts'
import { FRAME_BYTES, NO_EVENT_ID, SEAL_BYTES, SEAL_PAYLOAD } from './frame.ts'
import type { JournalFs } from './fs.ts'
import { GroupCommit } from './group-commit.ts'
import { type OpenSegment, SegmentSupply } from './segment-supply.ts'

/** What {@link SegmentLog} needs; sizes in bytes, times in milliseconds. */
export type SegmentLogOptions = {
  readonly dir: string
  readonly writer: string
  readonly fs: JournalFs
  readonly clock: Clock
  readonly logger: Logger
  readonly segmentBytes: number
  readonly retainedBytesMax: number
  readonly retryMs: number
  readonly commitIntervalMs: number
  /** A batch is in the kernel. */
  readonly onWritten: (batch: Batch) => void
  readonly onCommit: (seconds: number) => void
  /** A write or fdatasync failed: follow up with {@link SegmentLog.fail}. */
  readonly onFault: (operation: 'write' | 'fdatasync', cause: unknown) => void
}

// Data that nobody waits for is exposed to a loss of power for at most about this long.
const LAZY_COMMIT_MS = 20

/** Frames in order over segments: encodes, writes once a turn of the event loop, commits in groups, seals and goes on. */
export class SegmentLog {
  readonly supply: SegmentSupply
  readonly #options: SegmentLogOptions
  readonly #queue: BatchQueue
  readonly #commits: GroupCommit
  /** Sealed segments that are being cut to size and closed. */
  readonly #retiring = new Set<Promise<void>>()
  readonly #finished = Promise.withResolvers<void>()
  #encoding: OpenSegment | undefined
  /** Is written to; lags behind `encoding` while it is being sealed. */
  #writing: OpenSegment | undefined
  /** The seal of `writing` is written and not yet durable: nothing goes to the next segment before (SPEC.md I8). */
  #sealing = false
  #sealCommitting = false
  #flushScheduled = false
  #finishing = false
  #stopped = false

  constructor(options: SegmentLogOptions) {
    this.#options = options
    this.supply = new SegmentSupply(options)
    this.#queue = new BatchQueue(options.clock)
    this.#commits = new GroupCommit({
      intervalMs: options.commitIntervalMs,
      lazyMs: LAZY_COMMIT_MS,
      sync: (done) => {
        this.#sealCommitting = this.#sealing
        options.fs.fdatasync(this.#writingNow().fd, done)
      },
      onCommit: (seconds) => this.#committed(seconds),
      onFault: (cause) => options.onFault('fdatasync', cause),
    })
  }

  /** Sequence of the segment that takes new frames; 0 before {@link start}. */
  get sequence(): number {
    return this.#encoding?.sequence ?? 0
  }

  /** Bytes for frames that the segment which takes new ones has left. */
  get left(): number {
    return this.#options.segmentBytes - SEAL_BYTES - this.#encodingNow().offset
  }

  /** Gets the first segment; throws why there is none. */
  async start(): Promise<void> {
    this.supply.want(1)
    await this.supply.preparing
    if (this.supply.fault !== undefined) {
      await this.supply.stop()
      throw this.supply.fault
    }
    this.#encoding = this.supply.take()
    this.#writing = this.#encoding
    this.supply.want(1)
  }

  /**
   * Encodes a frame, whose payload takes at most `payloadBytesMax`, and gives its batch, which is written before the event loop
   * turns. The caller has seen to the space.
   */
  append(frame: NewFrame, payloadBytesMax: number): Batch {
    if (FRAME_BYTES + payloadBytesMax > this.left) {
      this.#seal()
      this.#encoding = this.supply.take()
      this.supply.want(Math.max(1, this.supply.readyCount))
    }
    if (!this.#flushScheduled) {
      this.#flushScheduled = true
      setImmediate(this.#flush)
    }
    return this.#queue.append(this.#encodingNow(), frame, payloadBytesMax)
  }

  /** Resolves when all that was appended before is durable. Joins the commit of whoever else waits. */
  sync(): Promise<void> {
    const { last } = this.#queue
    if (last !== undefined) return (last.durable ??= Promise.withResolvers<void>()).promise
    const waiter = Promise.withResolvers<void>()
    this.#commits.written(waiter, false)
    this.#commits.pace()
    return waiter.promise
  }

  /** Seals what there is, commits it and closes the files; resolves too when that fails (see `onFault`). */
  async finish(): Promise<void> {
    if (!this.#stopped) {
      this.#finishing = true
      this.#seal()
      this.#flush()
      await this.#finished.promise
    }
    this.#commits.stop()
    await this.#commits.idle()
    await this.supply.stop()
    await Promise.all(this.#retiring)
    if (this.#writing !== undefined) this.#options.fs.close(this.#writing.fd)
    if (this.#encoding !== undefined && this.#encoding !== this.#writing) this.#options.fs.close(this.#encoding.fd)
    this.#writing = undefined
    this.#encoding = undefined
  }

  /** Rejects everything that is not acknowledged and leaves the files alone from now on (SPEC.md I9). */
  fail(reason: Error): void {
    this.#stopped = true
    for (const batch of this.#queue.drain()) {
      batch.written?.reject(reason)
      batch.durable?.reject(reason)
    }
    this.#commits.fail(reason)
    this.#finished.resolve()
  }

  #seal(): void {
    const seal = { kind: 'seal', eventId: NO_EVENT_ID, payload: SEAL_PAYLOAD } as const
    this.#queue.append(this.#encodingNow(), seal, SEAL_PAYLOAD.length).seals = true
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false
    if (this.#stopped) return
    try {
      for (let batch = this.#queue.first; batch !== undefined && !this.#sealing; batch = this.#queue.first) {
        this.#write(batch)
        this.#queue.done()
        this.#sealing = batch.seals
        batch.written?.resolve()
        this.#commits.written(batch.durable, batch.seals)
        this.#options.onWritten(batch)
      }
    } catch (cause) {
      this.#options.onFault('write', cause)
      return
    }
    this.#commits.pace()
  }

  #write(batch: Batch): void {
    const { fd, sequence } = this.#writingNow()
    assert(batch.segment.sequence === sequence, 'batches are written in the order of their segments')
    let done = 0
    while (done < batch.length) {
      const written = this.#options.fs.writeSync(fd, batch.buffer, done, batch.length - done, batch.position + done)
      if (written === 0) throw new Error('Cannot write: the disk took no byte')
      done += written
    }
  }

  #committed(seconds: number): void {
    this.#options.onCommit(seconds)
    if (!this.#sealCommitting) return
    this.#sealCommitting = false
    this.#sealing = false
    this.#retire(this.#writingNow())
    this.#writing = this.#queue.first?.segment ?? this.#encoding
    if (this.#finishing && this.#queue.first === undefined) {
      this.#writing = undefined
      this.#encoding = undefined
      this.#finished.resolve()
      return
    }
    this.#flush()
  }

  /** Gives the unused zeros of a sealed segment back. Not synced: after a crash it is merely larger. */
  #retire(segment: OpenSegment): void {
    const { fs, logger, dir } = this.#options
    const retiring = fs
      .truncate(segment.fd, segment.offset)
      .then(() => this.supply.shrunk(segment.sequence, segment.offset))
      .catch((error: unknown) => logger.warn('journal cannot cut a sealed segment to size', { dir, segment: segment.sequence, error }))
      .finally(() => {
        fs.close(segment.fd)
        this.#retiring.delete(retiring)
      })
    this.#retiring.add(retiring)
  }

  #encodingNow(): OpenSegment {
    assert(this.#encoding !== undefined, 'the log has started and not finished')
    return this.#encoding
  }

  #writingNow(): OpenSegment {
    assert(this.#writing !== undefined, 'the log has started and not finished')
    return this.#writing
  }
}
