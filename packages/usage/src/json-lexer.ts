import { NESTING_MAX } from './json-cursor.ts'
import { ENDS_ESCAPED, NativeSearch, unescapedQuote } from './json-search.ts'
import { CAPTURE_BYTES_MAX, cut, joined, textOf } from './json-slice.ts'
import type { Slice } from './json-slice.ts'
import { contentWant, detailWant, eventWant, memberWant } from './json-wants.ts'
import type { Want } from './json-wants.ts'
import type { Api } from './record.ts'
import { readPlainUsage, readUsage } from './usage-block.ts'
import { isFields } from './usage-counts.ts'
import type { UsageReading } from './usage-counts.ts'
import { scanUsage } from './usage-scan.ts'

/** No key that matters is longer. */
const KEY_BYTES_MAX = 20
/** Numbers and commas up to this length are stepped over one by one; after it native searches are faster. */
const RUN_BYTES = 64

const QUOTE = 0x22
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** What there is to know of replies that have no `choices`: of an event its type, and why a reply is not complete. */
type Own = { readonly isEvent: boolean; inDetails: boolean; type: Slice | undefined; reason: Slice | undefined }

/**
 * Reads one JSON body in chunks, in one pass, keeping no more of it than the few values it is after. It knows for every byte
 * how deep it stands and whether inside a string: so only a member of the top-level object is taken for `usage` or `model`, and
 * only `choices[].finish_reason` for a finish reason, wherever in the body they stand, and never what a model wrote. Of an event (of
 * Responses) the members of its `response` count as those of the top-level object.
 */
export class JsonLexer {
  bytes = 0
  usage: UsageReading = { kind: 'absent' }
  /** Bytes of the strings that were generated, as escaped in JSON. */
  contentBytes = 0
  choices = 0
  limited = 0
  hasError = false
  /** The top-level object has ended. */
  closed = false
  /** The body is no JSON object; nothing is read from here on. */
  broken = false
  readonly #api: Api
  /** Where `choices` are called otherwise, and all that goes with them. One field: each one more is paid for with every reply. */
  readonly #own: Own | undefined
  /** Levels above the object whose members count: 1 inside of an event's `response`. */
  #base = 0
  #model: Slice | undefined
  #finishReason: Slice | undefined
  #mode: 'structure' | 'numbers' | 'string' | 'value' = 'structure'
  #depth = 0
  /** The bracket that opened each level. */
  readonly #levels: number[] = [0]
  #inChoices = false
  #want: Want = 'nothing'
  /** The string at hand stands where a value stands; else it may be a key. */
  #isValue = false
  /** The last chunk ended in a backslash that escapes the first byte of the next one. */
  #escaped = false
  /** Where the string at hand starts in this chunk, and what of it lay in earlier ones. */
  #stringStart = 0
  #stringBefore: Buffer | undefined
  /** The string read last, if it may be a key; else without bytes. Three fields: an object for each string costs more. */
  #keyBytes: Buffer | undefined
  #keyStart = 0
  #keyEnd = 0
  /** Where the usage object starts in this chunk, and what of it lay in earlier ones; -1 outside of it. */
  #usageStart = -1
  #usageBefore: Buffer[] = []
  #usageBytes = 0

  constructor(api: Api, options?: { readonly isEvent: boolean }) {
    this.#api = api
    const isEvent = options?.isEvent === true
    if (isEvent || api === 'responses' || api === 'messages') {
      this.#own = { isEvent, inDetails: false, type: undefined, reason: undefined }
    }
  }

  /** Of an event. */
  get type(): string | undefined {
    return textOf(this.#own?.type)
  }

  get model(): string | undefined {
    return textOf(this.#model)
  }

  get finishReason(): string | undefined {
    return textOf(this.#own?.reason ?? this.#finishReason)
  }

  push(bytes: Buffer): void {
    if (this.bytes > 0 || !isBlank(bytes)) this.bytes += bytes.length
    let search: NativeSearch | undefined
    let at = 0
    while (at < bytes.length && !this.broken) {
      if (this.#mode === 'string') at = this.#string(bytes, at)
      else if (this.#mode === 'value') at = this.#value(bytes, at)
      else {
        at = this.#structure(bytes, at)
        if (at < bytes.length && this.#mode === 'numbers') {
          search ??= new NativeSearch(bytes)
          at = search.structural(at)
          this.#mode = 'structure'
        }
      }
    }
    if (this.#usageStart >= 0) this.#keepUsage(bytes, bytes.length)
    if (this.#mode === 'string') this.#keepString(bytes)
  }

  /** Steps over what stands between strings, up to and with the next quote or colon. */
  #structure(bytes: Buffer, start: number): number {
    const { length } = bytes
    let at = start
    // The string read last, in variables: most strings are never asked for.
    let keyStart = -1
    let keyEnd = 0
    while (at < length) {
      const runEnd = Math.min(at + RUN_BYTES, length)
      let byte = 0
      while (at < runEnd) {
        byte = bytes[at] as number
        if (byte >= COLON || byte === QUOTE) break
        at += 1
      }
      if (at === runEnd) {
        if (at === length || this.#levels[this.#depth] !== OPEN_BRACKET) continue
        this.#mode = 'numbers'
        return at
      }
      if (byte === QUOTE && this.#depth > 0) {
        // The common case, a string that ends in this chunk, without leaving the loop.
        const end = unescapedQuote(bytes, at + 1)
        if (end < 0) {
          this.#openString(at + 1, false)
          return at + 1
        }
        keyStart = at + 1
        keyEnd = end
        at = end + 1
        continue
      }
      if (byte === COLON && this.#depth > 0) {
        if (keyStart >= 0) this.#setKey(bytes, keyStart, keyEnd)
        this.#want = this.#wanted()
        at += 1
        if (this.#want === 'nothing') continue
        this.#mode = 'value'
        return at
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#open(byte)
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#close(byte, bytes, at)
      // Before and after the object only white space may stand, or a byte order mark before it.
      else if (this.#depth === 0 && (byte < 0x80 || this.closed)) this.broken = true
      if (this.broken) return at
      at += 1
    }
    // The colon may come with the next chunk.
    if (keyStart >= 0) this.#setKey(bytes, keyStart, keyEnd)
    return at
  }

  #open(byte: number): void {
    const depth = this.#depth + 1
    if (depth > NESTING_MAX || this.closed || (depth === 1 && byte !== OPEN_BRACE)) {
      this.broken = true
      return
    }
    this.#depth = depth
    this.#levels[depth] = byte
    if (depth === this.#base + 3 && this.#inChoices && byte === OPEN_BRACE) this.choices += 1
  }

  #close(byte: number, bytes: Buffer, at: number): void {
    // In ASCII each closing bracket is two above its opening one.
    if (this.#levels[this.#depth] !== byte - 2) {
      this.broken = true
      return
    }
    this.#depth -= 1
    if (this.#depth === this.#base + 1) {
      this.#inChoices = false
      if (this.#own !== undefined) this.#own.inDetails = false
      if (this.#usageStart >= 0) this.#closeUsage(bytes, at + 1)
    }
    if (this.#depth === 1) this.#base = 0
    if (this.#depth === 0) this.closed = true
  }

  #openString(start: number, isValue: boolean): void {
    this.#mode = 'string'
    this.#isValue = isValue
    this.#stringStart = start
    this.#stringBefore = undefined
    this.#keyBytes = undefined
  }

  /** Goes on in a string; gives the offset after its closing quote, or the end of the chunk. */
  #string(bytes: Buffer, at: number): number {
    const from = this.#escaped ? at + 1 : at
    this.#escaped = false
    const quote = unescapedQuote(bytes, from)
    if (quote < 0) {
      this.#escaped = quote === ENDS_ESCAPED
      if (this.#isValue && this.#want === 'content') this.contentBytes += bytes.length - at
      return bytes.length
    }
    this.#mode = 'structure'
    if (this.#isValue) this.#takeString(bytes, at, quote)
    else if (this.#stringBefore === undefined) this.#setKey(bytes, this.#stringStart, quote)
    else if (this.#stringBefore.length + quote <= KEY_BYTES_MAX) {
      const { bytes: text, end } = joined(this.#stringBefore, bytes, quote)
      this.#setKey(text, 0, end)
    }
    return quote + 1
  }

  #setKey(bytes: Buffer, start: number, end: number): void {
    this.#keyBytes = bytes
    this.#keyStart = start
    this.#keyEnd = end
  }

  #takeString(bytes: Buffer, at: number, end: number): void {
    if (this.#want === 'content') this.contentBytes += end - at
    if (!isName(this.#want)) return
    const before = this.#stringBefore
    const text = before === undefined ? cut(bytes, this.#stringStart, end) : joined(before, bytes, end)
    if (text.end === text.start) return
    if (this.#want === 'model') this.#model = text
    else if (this.#want === 'finish_reason') {
      this.#finishReason = text
      if (text.end - text.start === LENGTH.length && matches(text.bytes, text.start, LENGTH)) this.limited += 1
    } else if (this.#own !== undefined) this.#own[this.#want === 'type' ? 'type' : 'reason'] = text
  }

  /** The chunk ends inside a string: what may matter of it is kept. */
  #keepString(bytes: Buffer): void {
    const isWanted = this.#isValue && isName(this.#want)
    const room = (isWanted ? CAPTURE_BYTES_MAX : this.#isValue ? 0 : KEY_BYTES_MAX + 1) - (this.#stringBefore?.length ?? 0)
    const piece = bytes.subarray(this.#stringStart, this.#stringStart + Math.max(room, 0))
    this.#stringBefore = this.#stringBefore === undefined ? piece : Buffer.concat([this.#stringBefore, piece])
    this.#stringStart = 0
  }

  /** After a colon: what kind of value comes. */
  #value(bytes: Buffer, start: number): number {
    let at = start
    while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1
    const byte = bytes[at]
    if (byte === undefined) return at
    this.#mode = 'structure'
    const isNull = byte === 0x6e
    if (this.#want === 'error' && !isNull) this.hasError = true
    if (this.#want === 'usage' && !isNull) {
      this.usage = { kind: 'invalid' }
      if (byte === OPEN_BRACE) {
        this.#usageStart = at
        this.#usageBefore = []
        this.#usageBytes = 0
      }
    }
    if (this.#want === 'choices' && byte === OPEN_BRACKET) this.#inChoices = true
    if (this.#want === 'inside' && byte === OPEN_BRACE) this.#base = 1
    if (this.#want === 'details' && byte === OPEN_BRACE && this.#own !== undefined) this.#own.inDetails = true
    if (byte !== QUOTE) return at
    this.#openString(at + 1, true)
    return at + 1
  }

  #keepUsage(bytes: Buffer, end: number): void {
    this.#usageBytes += end - this.#usageStart
    if (this.#usageBytes > CAPTURE_BYTES_MAX) this.#usageBefore = []
    else this.#usageBefore.push(bytes.subarray(this.#usageStart, end))
    this.#usageStart = 0
  }

  #closeUsage(bytes: Buffer, end: number): void {
    const start = this.#usageStart
    let text = bytes
    let from = start
    if (this.#usageBytes === 0) this.#usageBytes = end - start
    else {
      this.#keepUsage(bytes, end)
      text = Buffer.concat(this.#usageBefore)
      from = 0
    }
    this.#usageStart = -1
    this.#usageBefore = []
    if (this.#usageBytes > CAPTURE_BYTES_MAX) return
    const to = from + this.#usageBytes
    const api = this.#api
    const plain = scanUsage(text, { start: from, end: to, api })
    this.usage = plain === undefined ? readUsage(parsedObject(text.toString('utf8', from, to)), api) : readPlainUsage(plain, api)
  }

  /** What the key before a colon announces, by where it stands. */
  #wanted(): Want {
    const depth = this.#depth
    if (this.#own !== undefined) return this.#wantedOfOwn(this.#own, depth - this.#base)
    if (depth > 1 && !this.#inChoices) return 'nothing'
    // The length alone settles most keys.
    switch (this.#keyEnd - this.#keyStart) {
      case 4:
        return depth > 1 && this.#isKey(TEXT) ? 'content' : 'nothing'
      case 5:
        if (depth > 1) return 'nothing'
        if (this.#isKey(USAGE)) return 'usage'
        if (this.#isKey(MODEL)) return 'model'
        return this.#isKey(ERROR) ? 'error' : 'nothing'
      case 7:
        if (depth === 1) return this.#isKey(CHOICES) ? 'choices' : 'nothing'
        return this.#isKey(CONTENT) || this.#isKey(REFUSAL) ? 'content' : 'nothing'
      case 9:
        return depth > 1 && (this.#isKey(ARGUMENTS) || this.#isKey(REASONING)) ? 'content' : 'nothing'
      case 13:
        return depth === 3 && this.#isKey(FINISH_REASON) ? 'finish_reason' : 'nothing'
      case 17:
        return depth > 1 && this.#isKey(REASONING_CONTENT) ? 'content' : 'nothing'
      default:
        return 'nothing'
    }
  }

  #wantedOfOwn({ isEvent, inDetails }: Own, depth: number): Want {
    const key = { bytes: this.#keyBytes, start: this.#keyStart, end: this.#keyEnd }
    if (this.#inChoices) return contentWant(this.#api, key)
    if (depth === 2) return inDetails ? detailWant(key) : 'nothing'
    if (depth !== 1) return 'nothing'
    const own = isEvent && this.#base === 0 ? eventWant(key) : 'nothing'
    return own === 'nothing' ? memberWant(this.#api, key) : own
  }

  #isKey(name: Buffer): boolean {
    const bytes = this.#keyBytes
    return bytes !== undefined && matches(bytes, this.#keyStart, name)
  }
}

const LENGTH = Buffer.from('length')
const FINISH_REASON = Buffer.from('finish_reason')
const USAGE = Buffer.from('usage')
const MODEL = Buffer.from('model')
const ERROR = Buffer.from('error')
const CHOICES = Buffer.from('choices')
const TEXT = Buffer.from('text')
const CONTENT = Buffer.from('content')
const REFUSAL = Buffer.from('refusal')
const ARGUMENTS = Buffer.from('arguments')
const REASONING = Buffer.from('reasoning')
const REASONING_CONTENT = Buffer.from('reasoning_content')

/** Whether the text of a value is kept. */
function isName(want: Want): boolean {
  return want === 'model' || want === 'finish_reason' || want === 'reason' || want === 'type'
}

function isBlank(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += 1) if ((bytes[at] as number) > 0x20) return false
  return true
}

function matches(bytes: Buffer, start: number, name: Buffer): boolean {
  for (let index = 0; index < name.length; index += 1) if (bytes[start + index] !== name[index]) return false
  return true
}

/** A malformed object is no reason to fail: it is read as something that is no usage. */
function parsedObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : false
  } catch {
    return false
  }
}
