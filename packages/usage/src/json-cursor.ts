import { KeySet } from './key-set.ts'

/** Nesting that a request may have. Real ones stay below 20; deeper ones are refused before an engine's parser meets them. */
export const NESTING_MAX = 512

/** Private to this package: the bytes are no JSON. `message` says what stands where. */
export class MalformedJson extends Error {}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

/** The keys whose strings are what an engine reads as text. Roles, ids and the base64 of images are not among them. */
export const TEXT_NAMES = ['content', 'text', 'arguments', 'reasoning_content', 'refusal', 'thinking', 'output'] as const
const TEXT_KEYS = new KeySet(TEXT_NAMES)

/**
 * Walks the bytes of one JSON text and checks its grammar (RFC 8259) on the way, without building values.
 * Bytes that are no UTF-8 are let through inside strings, as every engine's parser does.
 * Every method throws {@link MalformedJson}, and only that.
 */
export class JsonCursor {
  readonly bytes: Buffer
  position = 0
  /** Of the string read last: its content without the quotes, and whether a backslash is in it. */
  stringStart = 0
  stringEnd = 0
  stringEscaped = false
  /** Of the key read last, if it is a known one: whether it is written as its name is, but for escapes. */
  keyIsExact = false
  /** Bytes of text met by {@link skipText}; a token id counts as the four bytes that a token has on average. */
  textBytes = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  fail(expected: string): never {
    const byte = this.bytes[this.position]
    if (byte === undefined) throw new MalformedJson(`it ends where ${expected} should stand`)
    const seen = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, '0')}`
    throw new MalformedJson(`${seen} stands at offset ${this.position} where ${expected} should stand`)
  }

  /** Skips white space and gives the byte after it, or -1 at the end. */
  peek(): number {
    const { bytes } = this
    let at = this.position
    let byte = bytes[at]
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at]
    this.position = at
    return byte ?? -1
  }

  expect(byte: number, expected: string): void {
    if (this.peek() !== byte) this.fail(expected)
    this.position += 1
  }

  /** Reads a string at the cursor, quotes included. */
  string(expected: string): void {
    if (this.peek() !== QUOTE) this.fail(expected)
    const { bytes } = this
    const { length } = bytes
    let at = this.position + 1
    this.stringStart = at
    this.stringEscaped = false
    for (;;) {
      at = ordinaryEnd(bytes, at)
      const byte = at < length ? bytes[at] : undefined
      if (byte === QUOTE) break
      if (byte !== BACKSLASH) {
        this.position = at
        this.fail('the rest of a string')
      }
      this.stringEscaped = true
      at = this.#escape(at)
    }
    this.stringEnd = at
    this.position = at + 1
  }

  /** The string read last, decoded. */
  stringValue(): string {
    if (!this.stringEscaped) return this.bytes.toString('utf8', this.stringStart, this.stringEnd)
    return String(JSON.parse(this.bytes.toString('utf8', this.stringStart - 1, this.stringEnd + 1)))
  }

  /**
   * Reads a key and its colon; gives which of the known ones it is, in any case, else -1. What it stands for counts, not how it
   * is written: escapes are decoded. {@link keyIsExact} says whether it is the very name.
   */
  key(known: KeySet): number {
    this.string('a key in quotes')
    let found = known.find(this.bytes, this.stringStart, this.stringEnd)
    if (found >= 0) this.keyIsExact = known.isExact(found, this.bytes, this.stringStart)
    else if (this.stringEscaped || !isAscii(this.bytes, this.stringStart, this.stringEnd)) {
      const key = this.stringValue()
      found = known.findText(key)
      this.keyIsExact = found >= 0 && known.nameOf(found) === key
    }
    this.expect(COLON, 'a colon')
    return found
  }

  /** After a member or element: whether another one follows. `close` ends the container. */
  more(close: number): boolean {
    const byte = this.peek()
    this.position += 1
    if (byte === COMMA) return true
    if (byte === close) return false
    this.position -= 1
    return this.fail(`"," or "${String.fromCharCode(close)}"`)
  }

  /** Opens a container; whether it has anything in it. An empty one is read to its end. */
  open(close: number): boolean {
    this.position += 1
    if (this.peek() !== close) return true
    this.position += 1
    return false
  }

  skip(depth: number): void {
    this.#value(depth, undefined)
  }

  /** Like {@link skip}, adding the bytes of text to {@link textBytes}. `bare`: strings without a key around them are text. */
  skipText(depth: number, bare: boolean): void {
    this.#value(depth, bare)
  }

  /** `text` is undefined where no text is wanted, else whether a string right here is text. */
  #value(depth: number, text: boolean | undefined): void {
    const byte = this.peek()
    if (byte === QUOTE) {
      this.string('a string')
      if (text === true) this.textBytes += this.stringEnd - this.stringStart
    } else if (byte === 0x7b) this.#object(depth, text)
    else if (byte === 0x5b) this.#array(depth, text)
    else if (byte === 0x74) this.#literal('true')
    else if (byte === 0x66) this.#literal('false')
    else if (byte === 0x6e) this.#literal('null')
    else {
      this.#number()
      if (text === true) this.textBytes += 4
    }
  }

  #object(depth: number, text: boolean | undefined): void {
    if (depth >= NESTING_MAX) throw new MalformedJson(`it is nested deeper than ${NESTING_MAX} levels`)
    if (!this.open(0x7d)) return
    do {
      if (text === undefined) {
        this.string('a key in quotes')
        this.expect(COLON, 'a colon')
        this.#value(depth + 1, undefined)
      } else {
        this.#value(depth + 1, this.key(TEXT_KEYS) >= 0 && this.keyIsExact)
      }
    } while (this.more(0x7d))
  }

  #array(depth: number, text: boolean | undefined): void {
    if (depth >= NESTING_MAX) throw new MalformedJson(`it is nested deeper than ${NESTING_MAX} levels`)
    if (!this.open(0x5d)) return
    do this.#value(depth + 1, text)
    while (this.more(0x5d))
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index += 1) {
      if (this.bytes[this.position] !== word.charCodeAt(index)) this.fail(`"${word}"`)
      this.position += 1
    }
  }

  #escape(at: number): number {
    const { bytes } = this
    const kind = bytes[at + 1]
    if (kind !== undefined && ESCAPES.has(kind)) return at + 2
    this.position = at
    if (kind !== 0x75) this.fail('a valid escape')
    for (let index = at + 2; index < at + 6; index += 1) {
      const digit = bytes[index] ?? 0
      const isHex = (digit >= 0x30 && digit <= 0x39) || (digit >= 0x41 && digit <= 0x46) || (digit >= 0x61 && digit <= 0x66)
      if (!isHex) this.fail('an escape of four hexadecimal digits')
    }
    return at + 6
  }

  #number(): void {
    const { bytes } = this
    if (bytes[this.position] === 0x2d) this.position += 1
    if (bytes[this.position] === 0x30) this.position += 1
    else this.#digits('a value')
    if (bytes[this.position] === 0x2e) {
      this.position += 1
      this.#digits('a digit')
    }
    const exponent = bytes[this.position]
    if (exponent === 0x65 || exponent === 0x45) {
      this.position += 1
      const sign = bytes[this.position]
      if (sign === 0x2b || sign === 0x2d) this.position += 1
      this.#digits('a digit')
    }
  }

  #digits(expected: string): void {
    const { bytes } = this
    const start = this.position
    let at = start
    let byte = bytes[at]
    while (byte !== undefined && byte >= 0x30 && byte <= 0x39) byte = bytes[++at]
    this.position = at
    if (at === start) this.fail(expected)
  }
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] as number) >= 0x80) return false
  return true
}

/** What may stand after a backslash, but for `u`: the quote, backslash, slash, b, f, n, r, t. */
const ESCAPES: ReadonlySet<number> = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74])

/** Where a run of ordinary bytes of a string ends: at the quote, a backslash, what JSON forbids there, or the end. */
function ordinaryEnd(bytes: Buffer, start: number): number {
  const { length } = bytes
  let at = start
  while (at < length) {
    const byte = bytes[at] as number
    // Most bytes of text are lower-case letters: one comparison.
    if (byte <= BACKSLASH && (byte === BACKSLASH || byte === QUOTE || byte < 0x20)) return at
    at += 1
  }
  return at
}
