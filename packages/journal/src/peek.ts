import { open } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { errorCode } from '@ascribe/kit'
import { FRAME_BYTES, HEADER_BYTES, headerWriter } from './frame.ts'
import { listWriterFiles, segmentName } from './layout.ts'
import type { Position } from './layout.ts'

/** The name that a folder's frames are checked against: its headers know it, so that a copy under another name can be read too. */
export async function writerNameOf(dir: string, sequences: readonly number[]): Promise<string> {
  for (const sequence of sequences) {
    const header = await peek(join(dir, segmentName(sequence)), 0, HEADER_BYTES)
    const writer = header === undefined ? undefined : headerWriter(header)
    if (writer !== undefined) return writer
  }
  return basename(resolve(dir))
}

/** Whether a segment after `sequence` has data or is gone already: then `sequence` was sealed, durably, before. */
export async function isFollowed(dir: string, sequence: number): Promise<boolean> {
  for (const later of (await listWriterFiles(dir)).segments) {
    if (later <= sequence) continue
    const first = await peek(join(dir, segmentName(later)), HEADER_BYTES, FRAME_BYTES)
    // One that was listed and is gone was released, hence sealed, hence everything before it was.
    if (first === undefined || first.some((byte) => byte !== 0)) return true
  }
  return false
}

/** Up to `length` bytes at `position`; `undefined` when the file is gone. */
export async function peek(path: string, position: number, length: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r')
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, position)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/**
 * Whether reading on from `position` (the `next` of an earlier batch) may give something: one small read, for whoever looks
 * often and finds nothing most of the time. When in doubt, yes.
 */
export async function mayHaveMore(dir: string, position: Position): Promise<boolean> {
  const at = Math.max(position.offset, HEADER_BYTES)
  const next = await peek(join(dir, segmentName(position.segment)), at, FRAME_BYTES)
  if (next?.some((byte) => byte !== 0) === true) return true
  // Nothing there. If a later segment has begun, this one was released or is damaged: the reader knows which.
  return isFollowed(dir, position.segment)
}
