const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Bytes of a string that are looked at one by one; after that a native search is faster, which costs about 60 ns to start. */
const STEP_BYTES = 64

/** The string goes on after the chunk; the second one: and its first byte there is escaped. */
const GOES_ON = -1
export const ENDS_ESCAPED = -2

/** Offset of the quote that ends the string whose inside is at `from`; negative where it is not in these bytes. */
export function unescapedQuote(bytes: Buffer, from: number): number {
  const { length } = bytes
  let at = from
  while (at < length) {
    const stop = Math.min(at + STEP_BYTES, length)
    while (at < stop) {
      const byte = bytes[at]
      if (byte === QUOTE) return at
      at += byte === BACKSLASH ? 2 : 1
    }
    if (at >= length) break
    const found = bytes.indexOf(QUOTE, at)
    const end = found < 0 ? length : found
    let slashes = end
    while (slashes > at && bytes[slashes - 1] === BACKSLASH) slashes -= 1
    const isEscaped = (end - slashes) % 2 === 1
    if (found < 0) return isEscaped ? ENDS_ESCAPED : GOES_ON
    if (!isEscaped) return found
    at = found + 1
  }
  return at > length ? ENDS_ESCAPED : GOES_ON
}

/**
 * Finds the next byte of structure inside an array, by native searches whose results are kept until they are passed: over long
 * rows of numbers (embeddings) several times as fast as stepping.
 */
export class NativeSearch {
  readonly #bytes: Buffer
  readonly #wanted = [QUOTE, 0x5b, 0x5d, 0x7b, 0x7d]
  readonly #found = [-1, -1, -1, -1, -1]

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Offset of the next quote, bracket or brace at or after `from`, else the length. Outside of strings only. */
  structural(from: number): number {
    let nearest = this.#bytes.length
    for (const [index, byte] of this.#wanted.entries()) {
      let found = this.#found[index] as number
      if (found < from) {
        const next = this.#bytes.indexOf(byte, from)
        found = next < 0 ? this.#bytes.length : next
        this.#found[index] = found
      }
      if (found < nearest) nearest = found
    }
    return nearest
  }
}
