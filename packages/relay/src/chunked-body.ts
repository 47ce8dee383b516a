import { byteAt, CR, FIELD_VALUE, LF, TOKEN } from './head-scan.ts'

/** Bytes of all chunk extensions and trailers of one body. Nobody we know sends any; they are read over and dropped. */
const EXTRA_BYTES_MAX = 16_384
/** Hexadecimal digits of a chunk's size: more than 2^52 bytes are a mistake. */
const SIZE_DIGITS_MAX = 13

const SEMICOLON = 59
const COLON = 58

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6
const TRAILER_NAME = 7
const TRAILER_VALUE = 8
const TRAILER_LF = 9
const LAST_LF = 10
const DONE = 11
const BAD = 12

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
      case EXTENSION:
        if (byte === CR) return SIZE_LF
        return FIELD_VALUE[byte] === 1 && this.#isRoom() ? EXTENSION : BAD
      case SIZE_LF:
        if (byte !== LF) return BAD
        this.#digits = 0
        return this.#left === 0 ? TRAILER : DATA
      case DATA_CR:
        return byte === CR ? DATA_LF : BAD
      default:
        return byte === LF ? SIZE : BAD
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

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Copies the spans that {@link ChunkedBody.read} found into one buffer; `undefined` when there are none. */
export function copySpans(bytes: Buffer, spans: readonly number[]): Buffer | undefined {
  if (spans.length === 0) return undefined
  let total = 0
  for (let i = 0; i < spans.length; i += 2) total += (spans[i + 1] ?? 0) - (spans[i] ?? 0)
  const copy = Buffer.allocUnsafe(total)
  let at = 0
  for (let i = 0; i < spans.length; i += 2) at += bytes.copy(copy, at, spans[i], spans[i + 1])
  return copy
}
