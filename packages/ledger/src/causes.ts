/** Causes of marks, each once, in order, with commas: what an adjustment says of why it came. */
export function causesOf(marks: readonly { readonly cause: string }[]): string {
  return [...new Set(marks.flatMap(({ cause }) => cause.split(',')))].toSorted().join(',')
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['record', 'records that came after the month was closed'],
  ['mapping', 'a credential that belongs to somebody else than was known'],
  ['price', 'usage that got a price'],
  ['backfill', 'records that were added later'],
  ['undo', 'records that were added and taken back'],
  ['amend', 'records that were amended'],
  ['void', 'records that were voided'],
])

/** What people read of {@link causesOf}. */
export function describeCauses(causes: string): string {
  return causes
    .split(',')
    .map((cause) => WORDS.get(cause) ?? cause)
    .join('; ')
}
