/** Members of a delta that name or place it and are not made of generated tokens. */
const NOT_CONTENT: ReadonlySet<string> = new Set(['role', 'id', 'type', 'index'])
/** Arguments of real tools are nested less; what is deeper is no reason to run out of stack. */
const DEPTH_MAX = 64

/** Bytes in UTF-8 of all text in a value, but for what stands under a name that is `without`. */
export function generatedBytes(value: unknown, without: ReadonlySet<string> = NOT_CONTENT): number {
  return bytesOf(value, without, DEPTH_MAX)
}

function bytesOf(value: unknown, without: ReadonlySet<string>, depth: number): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null || depth === 0) return 0
  let bytes = 0
  for (const [key, member] of Object.entries(value)) if (!without.has(key)) bytes += bytesOf(member, without, depth - 1)
  return bytes
}
