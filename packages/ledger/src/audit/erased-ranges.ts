import type { JsonValue } from '../money/canonical-json.ts'

// An erasure line says which fields of which lines went: {"erased": {"actor.id": "3-7,9"}}.

/** `3-7,9` of ascending numbers. */
export function formatRanges(sequences: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const sequence of sequences) {
    const range = ranges.at(-1)
    if (range !== undefined && sequence === range[1] + 1) range[1] = sequence
    else ranges.push([sequence, sequence])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

/** Takes out of `missing`, sequences by field, what an erasure line accounts for. */
export function coverErasure(missing: Map<string, Set<number>>, detail: { readonly [name: string]: JsonValue } | undefined): void {
  const erased = detail?.['erased']
  if (typeof erased !== 'object' || erased === null) return
  for (const [field, ranges] of Object.entries(erased)) {
    const sequences = missing.get(field)
    if (sequences === undefined || typeof ranges !== 'string') continue
    const bounds = ranges.split(',').map((range) => range.split('-').map(Number))
    for (const sequence of sequences) {
      if (bounds.some(([from = 0, to = from]) => from <= sequence && sequence <= to)) sequences.delete(sequence)
    }
  }
}
