/** Longest model name in a record, in UTF-16 code units. */
export const MODEL_LENGTH_MAX = 512
/** Longest finish reason in a record, in UTF-16 code units. */
export const FINISH_REASON_LENGTH_MAX = 64

/**
 * Text that came from outside, made fit for a record: control characters (NUL, which no database takes, among them) and lone
 * surrogates become U+FFFD, and what is longer than `lengthMax` code units is cut and ends in `~` and 16 hexadecimal digits
 * of a hash of the whole, so that two long names stay two. `lengthMax` is at least 18.
 */
export function boundText(text: string, lengthMax: number): string {
  if (isPlain(text) && text.length <= lengthMax) return text
  // A raw control character would take six bytes in JSON: with this, no character of a record takes more than three.
  // oxlint-disable-next-line no-control-regex
  const clean = text.toWellFormed().replaceAll(/[\u0000-\u001F]/g, '\uFFFD')
  if (clean.length <= lengthMax) return clean
  return `${clean.slice(0, lengthMax - 17).toWellFormed()}~${hashOf(text)}`
}

/** Whether it is printable ASCII, as nearly all names are: then nothing of it is to be replaced. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/** FNV-1a, twice with different offsets; tells names apart, and resists nobody who wants a collision. */
function hashOf(text: string): string {
  let low = 0x811c9dc5
  let high = 0x9747b28c
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ ((unit << 7) | (unit >>> 9)), 0x01000193)
  }
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0')
}
