import { FRAME_BYTES, frameEnd, frameKind, HEADER_BYTES, headerFault, nextFrame, seedOf } from './frame.ts'

/** A half-open range of bytes. */
export type ByteRange = { readonly start: number; readonly end: number }

/** What the bytes of one segment turned out to be. */
export type SegmentScan = {
  /** Offset after the last valid frame. */
  readonly end: number
  /** Whether the last valid frame is the seal. */
  readonly sealed: boolean
  /** Intents and settlements. */
  readonly entries: number
  /** Ranges that are no valid frames and have a valid one after them: damage. */
  readonly gaps: readonly ByteRange[]
  /** Bytes of `void` frames: what an earlier recovery could not save. */
  readonly voidBytes: number
  /** Bytes after `end` up to the last that is not zero: a torn tail when the segment is not sealed. */
  readonly tornBytes: number
  readonly headerFault: string | undefined
}

/** Called for each valid intent and settlement, in order. */
export type OnEntry = (buffer: Buffer, at: number, end: number) => void

/** Walks all frames of a whole segment and tells intact, torn and damaged apart (SPEC.md section 5). */
export function scanSegment(
  buffer: Buffer,
  segment: { readonly writer: string; readonly sequence: number },
  onEntry?: OnEntry,
): SegmentScan {
  const seed = seedOf(segment.writer, segment.sequence)
  const gaps: ByteRange[] = []
  let at = HEADER_BYTES
  let sealed = false
  let entries = 0
  let voidBytes = 0
  while (!sealed && at < buffer.length) {
    const end = frameEnd(buffer, at, seed)
    if (end === 0) {
      // A range that was lost held at least one whole frame, so that the next one is at least that far away.
      const resumed = nextFrame(buffer, at + FRAME_BYTES, seed)
      if (resumed === -1) break
      gaps.push({ start: at, end: resumed })
      at = resumed
      continue
    }
    const kind = frameKind(buffer, at)
    if (kind === 'seal') sealed = true
    else if (kind === 'void') voidBytes += end - at
    else {
      entries += 1
      onEntry?.(buffer, at, end)
    }
    at = end
  }
  return {
    end: at,
    sealed,
    entries,
    gaps,
    voidBytes,
    tornBytes: sealed ? 0 : lastNonZero(buffer, at) - at,
    headerFault: headerFault(buffer, segment.writer, segment.sequence),
  }
}

/** Whether a segment holds anything after its header: prepared ones do not, yet. */
export function hasData(scan: SegmentScan): boolean {
  return scan.end > HEADER_BYTES || scan.tornBytes > 0
}

/** Offset after the last byte at or after `from` that is not zero; `from` when all are. */
function lastNonZero(buffer: Buffer, from: number): number {
  const BLOCK = Buffer.alloc(4096)
  let end = buffer.length
  while (end - from >= BLOCK.length && buffer.compare(BLOCK, 0, BLOCK.length, end - BLOCK.length, end) === 0) end -= BLOCK.length
  while (end > from && buffer[end - 1] === 0) end -= 1
  return Math.max(end, from)
}
