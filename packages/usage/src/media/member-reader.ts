import { NESTING_MAX } from '../json-cursor.ts'
import { ENDS_ESCAPED, unescapedQuote } from '../json-search.ts'

/** Longest value that is kept whole: a usage object, a name. A longer one is only measured. */
const KEPT_BYTES_MAX = 16 * 1024
/** No name that is looked for is longer. */
const KEY_BYTES_MAX = 32

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b

/** A member of the top-level object. */
export type Member = {
  /** As it stands in the body, quotes and all; empty where it is too long, and for what is only measured. */
  text: string
  /** Of the whole value, as it stands there. */
  bytes: number
  /** Of a list. */
  elements: number
}

/**
 * Reads the members of one JSON object in chunks, in one pass, in a few KiB: those of `kept` whole, those of `measured` by their size. However
 * large a picture in base64 stands between them, it is stepped over by a native search. Strings and deeper levels never pass for members.
 */
export class MemberReader {
  readonly members: Map<string, Member> = new Map()
  /** The object has ended. */
  closed = false
  /** It is no JSON object; nothing is read from here on. */
  broken = false
  readonly #kept: ReadonlySet<string>
  readonly #measured: ReadonlySet<string>
  /** The bracket that opened each level, from 1. */
  readonly #levels: number[] = [0]
  #depth = 0
  #inString = false
  #escaped = false
  /** At the top level, before a colon: the string at hand is a key. */
  #isKey = false
  #key: Buffer[] = []
  #keyBytes = 0
  #member: Member | undefined
  #isKept = false
  #parts: Buffer[] = []
  /** Where the value at hand starts in these bytes. */
  #valueStart = 0

  constructor(options: { readonly kept: ReadonlySet<string>; readonly measured: ReadonlySet<string> }) {
    this.#kept = options.kept
    this.#measured = options.measured
  }

  /** Reads on from `start`. Gives the offset of the brace that ends the object, or the length. */
  push(bytes: Buffer, start = 0): number {
    if (this.closed) return bytes.length
    let at = start
    this.#valueStart = start
    while (at < bytes.length && !this.broken) {
      const next = this.#inString ? this.#string(bytes, at) : this.#structure(bytes, at)
      if (this.closed) return at
      at = next
    }
    this.#take(bytes, bytes.length)
    return bytes.length
  }

  /** A kept member's value; `undefined` where it is not there, is malformed, or is too long. */
  value(name: string): unknown {
    const text = this.members.get(name)?.text ?? ''
    if (text === '') return undefined
    try {
      return JSON.parse(text) as unknown
    } catch {
      return undefined
    }
  }

  #string(bytes: Buffer, at: number): number {
    const from = this.#escaped ? at + 1 : at
    this.#escaped = false
    const quote = unescapedQuote(bytes, from)
    if (quote < 0) this.#escaped = quote === ENDS_ESCAPED
    else this.#inString = false
    if (this.#isKey) this.#keepKey(bytes, at, quote < 0 ? bytes.length : quote)
    return quote < 0 ? bytes.length : quote + 1
  }

  /** One byte between strings. */
  #structure(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number
    switch (byte) {
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        return at + 1
      case QUOTE:
        if (this.#depth === 0) break
        this.#inString = true
        if (this.#depth === 1 && this.#member === undefined) {
          this.#isKey = true
          this.#key = []
          this.#keyBytes = 0
        } else this.#element()
        return at + 1
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#element()
        this.#open(byte)
        return at + 1
      case OPEN_BRACE + 2:
      case OPEN_BRACKET + 2:
        if (this.#levels[this.#depth] !== byte - 2) break
        this.#depth -= 1
        if (this.#depth === 0) {
          this.#finish(bytes, at)
          this.closed = true
        }
        return at + 1
      case COLON:
        if (this.#depth === 1 && this.#isKey) this.#begin(at + 1)
        return at + 1
      case COMMA:
        if (this.#depth === 1) this.#finish(bytes, at)
        else if (this.#depth === 2 && this.#member !== undefined) this.#member.elements += 1
        return at + 1
      default:
        if (this.#depth === 0) break
        this.#element()
        return at + 1
    }
    // A byte order mark may stand before the object.
    if (this.#depth === 0 && byte >= 0x80) return at + 1
    this.broken = true
    return at
  }

  #open(byte: number): void {
    this.#depth += 1
    if (this.#depth > NESTING_MAX || (this.#depth === 1 && byte !== OPEN_BRACE)) this.broken = true
    this.#levels[this.#depth] = byte
  }

  /** A value begins or goes on: the first one of a list counts, the others come after commas. */
  #element(): void {
    if (this.#depth === 2 && this.#member?.elements === 0) this.#member.elements = 1
  }

  #keepKey(bytes: Buffer, start: number, end: number): void {
    this.#keyBytes += end - start
    if (this.#keyBytes <= KEY_BYTES_MAX) this.#key.push(bytes.subarray(start, end))
  }

  #begin(valueStart: number): void {
    this.#isKey = false
    const name = this.#keyBytes > KEY_BYTES_MAX ? '' : keyText(Buffer.concat(this.#key))
    this.#isKept = this.#kept.has(name)
    this.#member = { text: '', bytes: 0, elements: 0 }
    this.#valueStart = valueStart
    if (this.#isKept || this.#measured.has(name)) this.members.set(name, this.#member)
  }

  /** What of the value stands in these bytes. */
  #take(bytes: Buffer, end: number): void {
    const member = this.#member
    if (member === undefined) return
    member.bytes += end - this.#valueStart
    if (this.#isKept && member.bytes <= KEPT_BYTES_MAX) this.#parts.push(bytes.subarray(this.#valueStart, end))
  }

  #finish(bytes: Buffer, end: number): void {
    this.#take(bytes, end)
    if (this.#member !== undefined && this.#isKept && this.#member.bytes <= KEPT_BYTES_MAX) {
      this.#member.text = Buffer.concat(this.#parts).toString().trim()
    }
    this.#member = undefined
    this.#parts = []
  }
}

function keyText(raw: Buffer): string {
  const text = raw.toString()
  if (!text.includes('\\')) return text
  try {
    return String(JSON.parse(`"${text}"`))
  } catch {
    return text
  }
}
