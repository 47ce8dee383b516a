import { byteAt, CR, FIELD_VALUE, LF, TOKEN } from './head-scan.ts'

/** Bytes of all chunk extensions and trailers of one body. Nobody we know sends any; they are read over and dropped. */
const EXTRA_BYTES_MAX = 16_384
/** Hexadecimal digits of a chunk's size: more than 2^52 bytes are a mistake. */
const SIZE_DIGITS_MAX = 13

const SEMICOLON = 59
const COLON = 58
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

// States, in three groups: before a chunk's content, its content and what is behind it, trailers.
const SIZE = 0
const EXTENSION = 1
const EXTENSION_NAME = 2
const EXTENSION_VALUE = 3
const QUOTED = 4
const QUOTED_PAIR = 5
const QUOTED_END = 6
const SIZE_LF = 7
const DATA = 8
const DATA_CR = 9
const DATA_LF = 10
const TRAILER = 11
const TRAILER_NAME = 12
const TRAILER_VALUE = 13
const TRAILER_LF = 14
const LAST_LF = 15
const DONE = 16
const BAD = 17

/** Fields that would say something about framing, were they not too late (RFC 9110 section 6.5.1). */
const NEVER_IN_TRAILERS = new Set(['content-length', 'transfer-encoding', 'host'])
const NAME_LENGTH_KEPT = 20

/**
 * Takes the framing off a chunked body (RFC 9112 section 7.1), whatever pieces it comes in. Strict: sizes are hexadecimal
 * digits alone, every line ends with CR LF.
 */
export class ChunkedBody {
  #state = SIZE
  #digits = 0
  #left = 0
  #extraBytes = 0
  #trailer = ''

  /** The last chunk and the trailers have been read. */
  get done(): boolean {
    return this.#state === DONE
  }

  /** These bytes are no chunked body. */
  get bad(): boolean {
    return this.#state === BAD
  }

  /** Begins with another body. */
  reset(): void {
    this.#state = SIZE
    this.#digits = 0
    this.#left = 0
    this.#extraBytes = 0
  }

  /**
   * Reads `bytes[at, end)` and adds to `data` where content is: start, end, start, end, … Gives the offset of the first byte that
   * does not belong to the body; that is `end` until the body is {@link done}, or {@link bad}.
   */
  read(bytes: Uint8Array, range: { readonly at: number; readonly end: number }, data: number[]): number {
    const { end } = range
    let at = range.at
    while (at < end && this.#state < DONE) {
      if (this.#state === DATA) {
        const taken = Math.min(this.#left, end - at)
        data.push(at, at + taken)
        at += taken
        this.#left -= taken
        if (this.#left === 0) this.#state = DATA_CR
      } else {
        this.#state = this.#state >= TRAILER ? this.#inTrailers(byteAt(bytes, at)) : this.#inFraming(byteAt(bytes, at))
        at += 1
      }
    }
    return at
  }

  #inFraming(byte: number): number {
    switch (this.#state) {
      case SIZE:
        return this.#inSize(byte)
      case SIZE_LF:
        if (byte !== LF) return BAD
        this.#digits = 0
        return this.#left === 0 ? TRAILER : DATA
      case DATA_CR:
        return byte === CR ? DATA_LF : BAD
      case DATA_LF:
        return byte === LF ? SIZE : BAD
      default:
        return this.#isRoom() ? this.#inExtension(byte) : BAD
    }
  }

  /** `;name=value` or `;name="value"`, read over (RFC 9112 section 7.1.1). */
  #inExtension(byte: number): number {
    switch (this.#state) {
      case EXTENSION:
        return TOKEN[byte] === 1 ? EXTENSION_NAME : BAD
      case EXTENSION_NAME:
        if (TOKEN[byte] === 1) return EXTENSION_NAME
        return byte === EQUALS ? EXTENSION_VALUE : extensionEnd(byte)
      case EXTENSION_VALUE:
        if (TOKEN[byte] === 1) return EXTENSION_VALUE
        return byte === QUOTE ? QUOTED : extensionEnd(byte)
      case QUOTED:
        if (byte === QUOTE) return QUOTED_END
        if (byte === BACKSLASH) return QUOTED_PAIR
        return FIELD_VALUE[byte] === 1 ? QUOTED : BAD
      case QUOTED_PAIR:
        return FIELD_VALUE[byte] === 1 ? QUOTED : BAD
      default:
        return extensionEnd(byte)
    }
  }

  #inSize(byte: number): number {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      this.#digits += 1
      this.#left = this.#left * 16 + digit
      return this.#digits > SIZE_DIGITS_MAX ? BAD : SIZE
    }
    if (this.#digits === 0) return BAD
    if (byte === CR) return SIZE_LF
    return byte === SEMICOLON ? EXTENSION : BAD
  }

  #inTrailers(byte: number): number {
    if (!this.#isRoom()) return BAD
    switch (this.#state) {
      case TRAILER:
        if (byte === CR) return LAST_LF
        this.#trailer = ''
        return this.#inTrailerName(byte)
      case TRAILER_NAME:
        if (byte === COLON) return NEVER_IN_TRAILERS.has(this.#trailer.toLowerCase()) ? BAD : TRAILER_VALUE
        return this.#inTrailerName(byte)
      case TRAILER_VALUE:
        if (byte === CR) return TRAILER_LF
        return FIELD_VALUE[byte] === 1 ? TRAILER_VALUE : BAD
      case TRAILER_LF:
        return byte === LF ? TRAILER : BAD
      default:
        return byte === LF ? DONE : BAD
    }
  }

  #inTrailerName(byte: number): number {
    if (TOKEN[byte] !== 1) return BAD
    if (this.#trailer.length < NAME_LENGTH_KEPT) this.#trailer += String.fromCharCode(byte)
    return TRAILER_NAME
  }

  #isRoom(): boolean {
    this.#extraBytes += 1
    return this.#extraBytes <= EXTRA_BYTES_MAX
  }
}

function extensionEnd(byte: number): number {
  if (byte === CR) return SIZE_LF
  return byte === SEMICOLON ? EXTENSION : BAD
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** The spans that {@link ChunkedBody.read} found, as one buffer: a view of the only one, else a copy; `undefined` when there are none. */
export function joinSpans(bytes: Buffer, spans: readonly number[]): Buffer | undefined {
  if (spans.length === 0) return undefined
  if (spans.length === 2) return bytes.subarray(spans[0], spans[1])
  let total = 0
  for (let i = 0; i < spans.length; i += 2) total += (spans[i + 1] ?? 0) - (spans[i] ?? 0)
  const copy = Buffer.allocUnsafe(total)
  let at = 0
  for (let i = 0; i < spans.length; i += 2) at += bytes.copy(copy, at, spans[i], spans[i + 1])
  return copy
}
