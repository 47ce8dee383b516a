/** The bytes of a head run out before it ends: ask again with more of them. */
export const HEAD_MORE = 0
/** These bytes are not the head of a message, whatever comes after them. */
export const HEAD_BAD = -1

export const CR = 13
export const LF = 10
const HTAB = 9
const SPACE = 32
const COLON = 58

/** `tchar` of RFC 9110 section 5.6.2: what names of fields and methods are made of. */
export const TOKEN: Uint8Array = tableOf((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)))
/** What a field's value may hold (RFC 9110 section 5.5): visible ASCII, space, tab, `obs-text`; no other control character. */
export const FIELD_VALUE: Uint8Array = tableOf((byte) => byte === HTAB || (byte >= SPACE && byte !== 127))
/** What a request's target may hold: visible ASCII. */
export const TARGET: Uint8Array = tableOf((byte) => byte > SPACE && byte < 127)

/** Where the fields of a head are. Made once and used again: what a scan found is good until the next scan. */
export class FieldSpans {
  /** Of each field four offsets into the scanned bytes: of its name and of its value, each `[start, end)`. */
  readonly offsets: number[] = []
}

/**
 * Reads field lines and the empty line after them from `bytes[at, end)`. Gives the offset behind them, {@link HEAD_MORE} or
 * {@link HEAD_BAD}. Strict where two readers could differ (RFC 9112 sections 2.2, 5.1, 5.2): every line ends with CR LF, no space
 * stands before a colon, no line is folded.
 */
export function scanFields(bytes: Uint8Array, range: { readonly at: number; readonly end: number }, spans: FieldSpans): number {
  const { offsets } = spans
  const { end } = range
  let at = range.at
  let count = 0
  for (;;) {
    if (at >= end) return HEAD_MORE
    if (bytes[at] === CR) {
      if (at + 1 >= end) return HEAD_MORE
      offsets.length = count
      return bytes[at + 1] === LF ? at + 2 : HEAD_BAD
    }
    const name = at
    while (at < end && TOKEN[byteAt(bytes, at)] === 1) at += 1
    if (at >= end) return HEAD_MORE
    if (at === name || bytes[at] !== COLON) return HEAD_BAD
    const nameEnd = at
    at += 1
    while (at < end && isBlank(byteAt(bytes, at))) at += 1
    const value = at
    while (at < end && FIELD_VALUE[byteAt(bytes, at)] === 1) at += 1
    if (at >= end) return HEAD_MORE
    if (bytes[at] !== CR) return HEAD_BAD
    if (at + 1 >= end) return HEAD_MORE
    if (bytes[at + 1] !== LF) return HEAD_BAD
    let valueEnd = at
    while (valueEnd > value && isBlank(byteAt(bytes, valueEnd - 1))) valueEnd -= 1
    offsets[count] = name
    offsets[count + 1] = nameEnd
    offsets[count + 2] = value
    offsets[count + 3] = valueEnd
    count += 4
    at += 2
  }
}

/** `bytes[at]` where the caller has made sure that `at` is inside. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === HTAB
}

function tableOf(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_none, byte) => (holds(byte) ? 1 : 0))
}

/** A `Content-Length`: digits and nothing else, and no more of them than a number can hold exactly. -1: it is not one. */
export function lengthOf(value: string): number {
  if (value.length === 0 || value.length > 15) return -1
  let length = 0
  for (let i = 0; i < value.length; i += 1) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}
