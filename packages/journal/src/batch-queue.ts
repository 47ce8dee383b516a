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

/** Bytes of a batch buffer. Two of them are kept; more are made only while a full segment is being sealed. */
export const BATCH_BYTES: number = 1 << 20
const SPARE_BUFFERS = 2

/** Frames that are encoded and not yet written, in order. */
export class BatchQueue {
  readonly #batches: Batch[] = []
  readonly #spare: Buffer[] = []

  /** The oldest batch. */
  get first(): Batch | undefined {
    return this.#batches[0]
  }

  /** Encodes a frame at the end of `segment` and gives the batch that holds it. `payloadBytes` is the payload's length as UTF-8. */
  append(
    segment: OpenSegment,
    frame: Omit<FrameContent, 'writtenAt'>,
    options: { readonly payloadBytes: number; readonly clock: () => number },
  ): Batch {
    let batch = this.#batches.at(-1)
    if (batch === undefined || batch.segment !== segment || batch.length + FRAME_BYTES + options.payloadBytes > BATCH_BYTES) {
      batch = this.#newBatch(segment, options.clock())
      this.#batches.push(batch)
    }
    const { kind, eventId, payload } = frame
    batch.length = encodeFrame(
      batch.buffer,
      batch.length,
      { kind, eventId, payload, writtenAt: batch.writtenAt },
      options.payloadBytes,
      segment.seed,
    )
    segment.offset = batch.position + batch.length
    return batch
  }

  /** Forgets the oldest batch, which was written, and keeps its buffer for another. */
  done(): Batch | undefined {
    const batch = this.#batches.shift()
    if (batch !== undefined && this.#spare.length < SPARE_BUFFERS) this.#spare.push(batch.buffer)
    return batch
  }

  /** Takes everything out; for a writer that failed. */
  drain(): Batch[] {
    return this.#batches.splice(0)
  }

  #newBatch(segment: OpenSegment, writtenAt: number): Batch {
    return {
      segment,
      buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES),
      position: segment.offset,
      length: 0,
      intents: 0,
      settlements: 0,
      seals: false,
      writtenAt,
      written: undefined,
      durable: undefined,
    }
  }
}
