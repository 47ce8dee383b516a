/** The first chunks of a file are small; what comes after these bytes is not looked for. */
const CHUNKS_MAX = 16
/** Formats whose samples all have one size: PCM, floating point, extensible. */
const FIXED_FORMATS: ReadonlySet<number> = new Set([1, 3, 0xfffe])

/** Milliseconds of sound in a WAV file (RIFF) of `bytes`, by its header and no more than its bytes hold; `undefined` for every other format. */
export function wavMs(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start < 12 || tag(bytes, start) !== 'RIFF' || tag(bytes, start + 8) !== 'WAVE') return undefined
  let at = start + 12
  let perSecond = 0
  for (let chunks = 0; chunks < CHUNKS_MAX && at + 8 <= end; chunks += 1) {
    const size = bytes.readUInt32LE(at + 4)
    if (tag(bytes, at) === 'fmt ' && at + 24 <= end) {
      if (!FIXED_FORMATS.has(bytes.readUInt16LE(at + 8))) return undefined
      perSecond = bytes.readUInt32LE(at + 12) * bytes.readUInt16LE(at + 20)
    }
    if (tag(bytes, at) === 'data') return perSecond === 0 ? undefined : Math.ceil((Math.min(size, end - at - 8) * 1000) / perSecond)
    at += 8 + size + (size % 2)
  }
  return undefined
}

function tag(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + 4)
}
