import type { Clock } from '@ascribe/kit'
import { encodeFrame, FRAME_BYTES, type FrameContent } from './frame.ts'
import type { OpenSegment } from './segment-supply.ts'

/** Frames that go to the kernel in one write. All callers of one batch share its promises: no object per record. */
export type Batch = {
  readonly segment: OpenSegment
  readonly buffer: Buffer
  /** Where in the segment the batch begins. */
  readonly position: number
  length: number
  intents: number
  settlements: number
  /** Set when the last frame is the segment's seal. */
  seals: boolean
  /** UTC epoch milliseconds; one reading of the clock serves the whole batch. */
  readonly writtenAt: number
  written: PromiseWithResolvers<void> | undefined
  durable: PromiseWithResolvers<void> | undefined
}

/** A frame that has still to get its time. */
export type NewFrame = Omit<FrameContent, 'writtenAt'>

/** Bytes of a batch buffer. Two of them are kept; more are made only while a full segment is being sealed. */
export const BATCH_BYTES: number = 1 << 20
const SPARE_BUFFERS = 2

/** Frames that are encoded and not yet written, in order. */
export class BatchQueue {
  readonly #batches: Batch[] = []
  #last: Batch | undefined
  readonly #spare: Buffer[] = []
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The oldest batch. */
  get first(): Batch | undefined {
    return this.#batches[0]
  }

  /** The newest batch, if it is not written yet. */
  get last(): Batch | undefined {
    return this.#last
  }

  /** Encodes a frame at the end of `segment` and gives the batch that holds it. */
  append(segment: OpenSegment, frame: NewFrame, payloadBytesMax: number): Batch {
    let batch = this.#last
    if (batch === undefined || batch.segment !== segment || batch.length + FRAME_BYTES + payloadBytesMax > BATCH_BYTES) {
      batch = this.#newBatch(segment)
      this.#batches.push(batch)
      this.#last = batch
    }
    const { kind, eventId, payload } = frame
    batch.length = encodeFrame(batch.buffer, batch.length, { kind, eventId, payload, writtenAt: batch.writtenAt }, segment.seed)
    segment.offset = batch.position + batch.length
    return batch
  }

  /** Forgets the oldest batch, which was written, and keeps its buffer for another. */
  done(): Batch | undefined {
    const batch = this.#batches.shift()
    if (this.#batches.length === 0) this.#last = undefined
    if (batch !== undefined && this.#spare.length < SPARE_BUFFERS) this.#spare.push(batch.buffer)
    return batch
  }

  /** Takes everything out; for a writer that failed. */
  drain(): Batch[] {
    this.#last = undefined
    return this.#batches.splice(0)
  }

  #newBatch(segment: OpenSegment): Batch {
    return {
      segment,
      buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES),
      position: segment.offset,
      length: 0,
      intents: 0,
      settlements: 0,
      seals: false,
      writtenAt: this.#clock(),
      written: undefined,
      durable: undefined,
    }
  }
}
