import { TransportMessageError } from './errors.ts'

/** A place in a journal; see `Position` of the journal package. */
export type SlicePosition = { readonly segment: number; readonly offset: number }

/** A stretch of one writer's journal: all settlements from `from` up to `to`. */
export type JournalSlice = {
  readonly writer: string
  readonly from: SlicePosition
  readonly to: SlicePosition
  readonly entries: readonly { readonly eventId: string; readonly payload: string }[]
}

const VERSION = 1
const NEWLINE = 0x0a
/** More than any batch has; what claims more is no message of ours. */
const ENTRIES_MAX = 1_000_000

type Head = {
  readonly version: number
  readonly writer: string
  readonly from: readonly [number, number]
  readonly to: readonly [number, number]
  readonly entries: number
}

/**
 * A slice as bytes: one line of JSON that says what it is, then for each entry a line `<event id> <payload bytes>` and the payload, as
 * it stands in the journal. Not JSON throughout: payloads are JSON themselves and would be quoted once more.
 */
export function encodeSlice(slice: JournalSlice): Uint8Array {
  const { writer, from, to, entries } = slice
  const head: Head = {
    version: VERSION,
    writer,
    from: [from.segment, from.offset],
    to: [to.segment, to.offset],
    entries: entries.length,
  }
  const parts = [`${JSON.stringify(head)}\n`]
  for (const { eventId, payload } of entries) parts.push(`${eventId} ${Buffer.byteLength(payload)}\n`, payload)
  return Buffer.from(parts.join(''))
}

/** @throws {TransportMessageError} when the bytes are no slice, or one of a newer program. */
export function decodeSlice(bytes: Uint8Array): JournalSlice {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = buffer.indexOf(NEWLINE)
  if (end < 0) throw new TransportMessageError('Cannot read a message: it has no head')
  const head = headOf(buffer.toString('utf8', 0, end))
  const entries: { eventId: string; payload: string }[] = []
  let at = end + 1
  for (let count = 0; count < head.entries; count += 1) {
    const lineEnd = buffer.indexOf(NEWLINE, at)
    const [eventId = '', size = ''] = buffer.toString('latin1', at, lineEnd < 0 ? at : lineEnd).split(' ')
    const start = lineEnd + 1
    const length = /^\d{1,9}$/.test(size) ? Number(size) : Number.NaN
    if (lineEnd < 0 || Number.isNaN(length) || start + length > buffer.length) {
      throw new TransportMessageError(`Cannot read a message of writer ${head.writer}: entry ${count + 1} of ${head.entries} is cut off`)
    }
    entries.push({ eventId, payload: buffer.toString('utf8', start, start + length) })
    at = start + length
  }
  if (at !== buffer.length) throw new TransportMessageError(`Cannot read a message of writer ${head.writer}: it has more than its entries`)
  const [from, to] = [positionOf(head.from), positionOf(head.to)]
  return { writer: head.writer, from, to, entries }
}

function headOf(text: string): Head {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TransportMessageError('Cannot read a message: its head is not JSON', { cause })
  }
  if (!isHead(value)) throw new TransportMessageError('Cannot read a message: its head is not one of a journal slice')
  if (value.version !== VERSION) {
    throw new TransportMessageError(`Cannot read a message of version ${value.version}: this program knows version ${VERSION}`)
  }
  return value
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false
  const { version, writer, from, to, entries } = value as Partial<Record<keyof Head, unknown>>
  return isCount(version) && typeof writer === 'string' && isPair(from) && isPair(to) && isCount(entries) && entries <= ENTRIES_MAX
}

function isPair(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isCount)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function positionOf([segment, offset]: readonly [number, number]): SlicePosition {
  return { segment, offset }
}
