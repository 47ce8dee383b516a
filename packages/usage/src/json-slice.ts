/** Longest value that is kept: a usage object, a name. A longer usage object counts as malformed. */
export const CAPTURE_BYTES_MAX: number = 16 * 1024

/** A string of a body that was kept, not yet decoded. */
export type Slice = { readonly bytes: Buffer; readonly start: number; readonly end: number }

/** A string is cut at the same length whether it comes in one chunk or in many. */
export function cut(bytes: Buffer, start: number, end: number): Slice {
  return { bytes, start, end: Math.min(end, start + CAPTURE_BYTES_MAX) }
}

export function joined(before: Buffer, bytes: Buffer, end: number): Slice {
  const text = Buffer.concat([before, bytes.subarray(0, end)])
  return cut(text, 0, text.length)
}

/** Decoded; a value that was cut at the bound may end in half an escape, and is then taken as it stands. */
export function textOf(slice: Slice | undefined): string | undefined {
  if (slice === undefined) return undefined
  const raw = slice.bytes.toString('utf8', slice.start, slice.end)
  if (!raw.includes('\\')) return raw
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    return raw
  }
}
