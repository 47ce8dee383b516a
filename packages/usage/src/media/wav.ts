/** Real files have a handful. */
const CHUNKS_MAX = 16
/** Formats whose samples all have one size: PCM, floating point, extensible. */
const FIXED_FORMATS: ReadonlySet<number> = new Set([1, 3, 0xfffe])

/**
 * Milliseconds of sound in a WAV file (RIFF) of `bytes`, by its header and no more than its bytes hold; `undefined` for every other format, and
 * for a header that contradicts itself. Decoders play every chunk of data, and one that says it has no bytes to the end of the file.
 */
export function wavMs(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start < 12 || tag(bytes, start) !== 'RIFF' || tag(bytes, start + 8) !== 'WAVE') return undefined
  let at = start + 12
  let perSecond: number | undefined
  let sound = 0
  for (let chunks = 0; at + 8 <= end; chunks += 1) {
    if (chunks === CHUNKS_MAX) return undefined
    const size = bytes.readUInt32LE(at + 4)
    if (tag(bytes, at) === 'fmt ') {
      if (perSecond !== undefined || at + 24 > end) return undefined
      perSecond = bytesPerSecond(bytes, at + 8)
      if (perSecond === undefined) return undefined
    }
    if (tag(bytes, at) === 'data') {
      if (perSecond === undefined) return undefined
      const left = end - at - 8
      sound += size === 0 ? left : Math.min(size, left)
      if (size === 0) break
    }
    at += 8 + size + (size % 2)
  }
  return perSecond === undefined || sound === 0 ? undefined : Math.ceil((sound * 1000) / perSecond)
}

/** Of the format at `at`; `undefined` where samples have no fixed size, or not the one that its bits and channels make. */
function bytesPerSecond(bytes: Buffer, at: number): number | undefined {
  const frame = bytes.readUInt16LE(at + 12)
  const isFixed = FIXED_FORMATS.has(bytes.readUInt16LE(at))
  const rate = bytes.readUInt32LE(at + 4)
  if (!isFixed || rate === 0 || frame === 0 || frame !== bytes.readUInt16LE(at + 2) * Math.ceil(bytes.readUInt16LE(at + 14) / 8))
    return undefined
  return rate * frame
}

function tag(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + 4)
}
