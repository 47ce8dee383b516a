/** Members of a delta that name or place it and are not made of generated tokens. */
const NOT_CONTENT: ReadonlySet<string> = new Set(['role', 'id', 'type', 'index'])
/** Arguments of real tools are nested less; what is deeper is no reason to run out of stack. */
const DEPTH_MAX = 64

/** Bytes in UTF-8 of all text in a value, but for what stands under a name that is `without`. */
export function generatedBytes(value: unknown, without: ReadonlySet<string> = NOT_CONTENT): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return 0
  let bytes = 0
  visit(value, { without, depth: DEPTH_MAX, onText: (text) => (bytes += Buffer.byteLength(text)) })
  return bytes
}

/** That text itself, in the order in which it stands there. */
export function generatedText(value: unknown, without: ReadonlySet<string> = NOT_CONTENT): string {
  if (typeof value === 'string') return value
  let all = ''
  visit(value, { without, depth: DEPTH_MAX, onText: (text) => (all += text) })
  return all
}

type Visit = { readonly without: ReadonlySet<string>; readonly depth: number; readonly onText: (text: string) => void }

function visit(value: unknown, { without, depth, onText }: Visit): void {
  if (typeof value === 'string') onText(value)
  if (typeof value !== 'object' || value === null || depth === 0) return
  for (const [key, member] of Object.entries(value)) if (!without.has(key)) visit(member, { without, depth: depth - 1, onText })
}
