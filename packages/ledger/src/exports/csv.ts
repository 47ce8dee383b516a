/** A cell: text is quoted where it must be; a number stands as it is; null is an empty cell. */
export type Cell = string | { readonly number: string } | null

export type CsvOptions = {
  /** Leave text as it is, also where a spreadsheet would take it for a formula. Default false. */
  readonly rawText?: boolean
}

/** What a spreadsheet may take for the beginning of a formula; OWASP, "CSV Injection". */
const FORMULA = /^[=+\-@\t\r]/
/** RFC 4180 section 2, rules 6 and 7; and white space at the ends, which some readers trim. */
const MUST_QUOTE = /[",\r\n]|^\s|\s$/
/** Neither of the two, nor NUL: nearly every cell. */
const PLAIN = /^[^",\r\n\0=+\-@\s](?:[^",\r\n\0]*[^",\r\n\0\s])?$/

/**
 * One record of RFC 4180, with its line end. Text that begins like a formula gets a `'` before it, so that a model called
 * `=HYPERLINK(…)` stays a name in a spreadsheet; numbers never do, for they are ours. NUL, which no reader takes, becomes U+FFFD.
 */
export function csvLine(cells: readonly Cell[], options: CsvOptions = {}): string {
  // Joined, not added up: a string of parts would have to be put together once more when it is written.
  const parts: string[] = []
  for (const cell of cells) parts.push(cell === null ? '' : typeof cell === 'string' ? textCell(cell, options) : cell.number)
  return `${parts.join(',')}\r\n`
}

function textCell(text: string, { rawText = false }: CsvOptions): string {
  if (PLAIN.test(text)) return text
  const safe = rawText || !FORMULA.test(text) ? text : `'${text}`
  const clean = safe.includes('\0') ? safe.replaceAll('\0', '\ufffd') : safe
  return MUST_QUOTE.test(clean) ? `"${clean.replaceAll('"', '""')}"` : clean
}
