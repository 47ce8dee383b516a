import { KeySet } from './key-set.ts'
import type { Api } from './record.ts'
import type { Fields } from './usage-counts.ts'

/** `null`, `true` and `false` mean what they do in JSON; an object is one of details. */
type Value = number | boolean | null | Fields

/** The members of a usage object that have a class, and of the objects in it. */
type Names = { readonly counts: KeySet; readonly details: KeySet }

const OPENAI: Names = {
  counts: new KeySet([
    'prompt_tokens',
    'completion_tokens',
    'input_tokens',
    'output_tokens',
    'total_tokens',
    'prompt_cache_hit_tokens',
    'prompt_cache_miss_tokens',
    'prompt_tokens_details',
    'completion_tokens_details',
    'input_tokens_details',
    'output_tokens_details',
  ]),
  details: new KeySet([
    'cached_tokens',
    'text_tokens',
    'audio_tokens',
    'image_tokens',
    'reasoning_tokens',
    'cache_write_tokens',
    'cache_creation_tokens',
  ]),
}
const ANTHROPIC: Names = {
  counts: new KeySet(['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'cache_creation']),
  details: new KeySet(['ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens']),
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
/** More digits may not fit into a double. */
const DIGITS_MAX = 15

/**
 * The members of the usage object in `bytes` that `readUsage` looks at, as `JSON.parse` would give them; `undefined` where the object has
 * anything but plain counts, details and words in it, a number without a class, or is malformed: then `JSON.parse` decides.
 * Saves 0.5 µs a reply.
 */
export function scanUsage(
  bytes: Buffer,
  { start, end, api }: { readonly start: number; readonly end: number; readonly api: Api },
): Fields | undefined {
  const { counts, details } = api === 'messages' ? ANTHROPIC : OPENAI
  const scan = new UsageScan(bytes, start, end)
  const fields = scan.object(counts, details)
  return scan.at === end ? fields : undefined
}

/** An object may hold numbers of its own. */
function isMore(value: Value): boolean {
  return typeof value === 'object' && value !== null
}

/** Goes on over simple JSON as long as it is; `undefined` from any method means that it is not. */
class UsageScan {
  at: number
  readonly #bytes: Buffer
  readonly #end: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.at = start
  }

  object(known: KeySet, inner: KeySet | undefined): Fields | undefined {
    const fields: Record<string, unknown> = {}
    this.at += 1
    if (this.#peek() === CLOSE_BRACE) {
      this.at += 1
      return fields
    }
    for (;;) {
      const key = this.#key(known)
      if (key === undefined) return undefined
      const value = this.#value(inner)
      if (value === undefined) return undefined
      if (key !== '') fields[key] = value
      else if (value !== 0 && (typeof value === 'number' || isMore(value))) return undefined
      const next = this.#peek()
      this.at += 1
      if (next === CLOSE_BRACE) return fields
      if (next !== COMMA) return undefined
    }
  }

  /** A key and its colon: its name, or an empty text if it is none of the known ones. */
  #key(known: KeySet): string | undefined {
    if (this.#peek() !== QUOTE) return undefined
    const bytes = this.#bytes
    const start = this.at + 1
    let at = start
    for (;;) {
      const byte = at < this.#end ? bytes[at] : undefined
      if (byte === QUOTE) break
      if (byte === undefined || byte === BACKSLASH || byte < 0x20) return undefined
      at += 1
    }
    this.at = at + 1
    if (this.#peek() !== COLON) return undefined
    this.at += 1
    const found = known.find(bytes, start, at)
    return found >= 0 && known.isExact(found, bytes, start) ? known.nameOf(found) : ''
  }

  #value(inner: KeySet | undefined): Value | undefined {
    const byte = this.#peek()
    if (byte >= 0x30 && byte <= 0x39) return this.#count()
    if (byte === OPEN_BRACE) return inner === undefined ? undefined : this.object(inner, undefined)
    if (byte === 0x6e) return this.#word('null') ? null : undefined
    if (byte === 0x74) return this.#word('true') ? true : undefined
    return byte === 0x66 && this.#word('false') ? false : undefined
  }

  #count(): number | undefined {
    const start = this.at
    let count = 0
    let byte = this.#bytes[start] as number
    while (byte >= 0x30 && byte <= 0x39) {
      count = 10 * count + byte - 0x30
      this.at += 1
      byte = this.at < this.#end ? (this.#bytes[this.at] as number) : 0
    }
    const digits = this.at - start
    if (digits > DIGITS_MAX || (digits > 1 && this.#bytes[start] === 0x30)) return undefined
    return count
  }

  #word(word: string): boolean {
    for (let index = 0; index < word.length; index += 1) if (this.#bytes[this.at + index] !== word.charCodeAt(index)) return false
    this.at += word.length
    return this.at <= this.#end
  }

  /** The next byte that is no white space; -1 at the end. */
  #peek(): number {
    const bytes = this.#bytes
    while (this.at < this.#end) {
      const byte = bytes[this.at] as number
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
      this.at += 1
    }
    return -1
  }
}
