import { InputError } from '@ascribe/kit'

/** Whose habits the engine has: vLLM's (the default), llama.cpp's llama-server, llama-cpp-python. */
export type Style = 'vllm' | 'llama' | 'python'

/**
 * A place in a reply. `after-finish` is before whatever follows the chunk with `finish_reason`. A number is a byte of the
 * body: so many pass. A place that a reply does not have (no usage chunk, a shorter body) is never reached.
 */
export type Place = 'before-head' | 'before-content' | 'before-finish' | 'after-finish' | 'before-usage' | 'before-done' | number

/**
 * What the engine should do wrong, or just differently. Absent: as the style does it.
 * Sent by a client as the object `sandbox` of a request's body, or set for all requests with `setFaults`.
 */
export type Faults = {
  readonly style?: Style
  /** Exactly so many tokens in every choice, but for `max_tokens`. */
  readonly tokens?: number

  /** Milliseconds before the head. */
  readonly headDelayMs?: number
  /** Milliseconds before each token, in a stream and for a JSON reply. */
  readonly tokenDelayMs?: number
  /** Sends nothing more from here on, until the client leaves. */
  readonly hangAt?: Place
  /** Breaks the connection off here. */
  readonly resetAt?: Place
  /** How it is broken off: TCP reset (default), or an orderly end without the end of the body. */
  readonly resetWith?: 'rst' | 'fin'

  /** Answers with this status and an OpenAI error body. */
  readonly status?: number
  /** Replaces the content type of the reply, `Text/Event-Stream` for one. */
  readonly contentType?: string
  /** Compresses although nobody asked for it. */
  readonly encoding?: 'gzip' | 'br'
  /** Added to the content length of a JSON reply; may be negative. */
  readonly contentLengthOff?: number
  /** 200 with an event stream that ends at once. */
  readonly emptyStream?: boolean

  /** Cuts the body into pieces of so many bytes, each flushed on its own. */
  readonly splitEvery?: number
  /** Cuts the body into pieces of 1 to so many bytes, by the seed. */
  readonly splitRandom?: number
  /** Milliseconds between pieces. With `splitEvery: 1` a slow drip. */
  readonly pieceDelayMs?: number
  readonly lineEnd?: '\n' | '\r' | '\r\n'
  /** false: `data:{…}`. */
  readonly spaceAfterColon?: boolean
  /** false: the stream ends without the newlines of its last event. */
  readonly finalNewline?: boolean
  /** false: no `[DONE]`. */
  readonly done?: boolean
  /** A comment line before every event, as proxies send them to keep a connection alive. */
  readonly comments?: boolean
  /** So many bytes of padding: a field of a JSON reply, or one giant chunk of a stream. */
  readonly padBytes?: number

  /**
   * Where usage is in a reply. `none`: nowhere, though it was asked for. `last-chunk`: in the chunk with `finish_reason`.
   * `per-choice`: a usage chunk for every choice, each with the whole prompt. `continuous`: in every chunk, running.
   * `twice`: the usage chunk comes two times. `null-elsewhere`: `usage: null` in every other chunk, as OpenAI does.
   */
  readonly usage?: 'none' | 'last-chunk' | 'per-choice' | 'continuous' | 'twice' | 'null-elsewhere'
  /** Reports the first choice only. */
  readonly underReport?: boolean
  /** Replaces counts of the usage block by any JSON value: -1, 1.5, 1e30, "7", null. */
  readonly counts?: Readonly<Record<string, unknown>>
  /** How it tokenizes: not at all, like llama-cpp-python, with an error, or never. */
  readonly tokenizer?: 'none' | 'python' | 'error' | 'hang'
  /** JSON replies name `usage` before `choices`. */
  readonly usageFirst?: boolean
}

type Check = (value: unknown) => boolean
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isSize: Check = (value) => isCount(value) && value !== 0
const isBoolean: Check = (value) => typeof value === 'boolean'
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const oneOf =
  (...allowed: readonly unknown[]): Check =>
  (value) =>
    allowed.includes(value)
const isNamedPlace = oneOf('before-head', 'before-content', 'before-finish', 'after-finish', 'before-usage', 'before-done')
const isPlace: Check = (value) => isCount(value) || isNamedPlace(value)

const CHECKS: Readonly<Record<keyof Faults, Check>> = {
  style: oneOf('vllm', 'llama', 'python'),
  tokens: isCount,
  headDelayMs: isCount,
  tokenDelayMs: isCount,
  hangAt: isPlace,
  resetAt: isPlace,
  resetWith: oneOf('rst', 'fin'),
  status: (value) => isCount(value) && Number(value) >= 400 && Number(value) <= 599,
  contentType: (value) => typeof value === 'string' && /^[\x21-\x7e][\x20-\x7e]*$/.test(value),
  encoding: oneOf('gzip', 'br'),
  contentLengthOff: Number.isSafeInteger,
  emptyStream: isBoolean,
  splitEvery: isSize,
  splitRandom: isSize,
  pieceDelayMs: isCount,
  lineEnd: oneOf('\n', '\r', '\r\n'),
  spaceAfterColon: isBoolean,
  finalNewline: isBoolean,
  done: isBoolean,
  comments: isBoolean,
  padBytes: isCount,
  usage: oneOf('none', 'last-chunk', 'per-choice', 'continuous', 'twice', 'null-elsewhere'),
  underReport: isBoolean,
  counts: isObject,
  tokenizer: oneOf('none', 'python', 'error', 'hang'),
  usageFirst: isBoolean,
}

/** No fault at all. The same object each time, so that the fast path can tell. */
export const NO_FAULTS: Faults = {}

/**
 * Checks a `sandbox` object of a request: a mistyped knob must not pass for a test that passed.
 * @throws {InputError}
 */
export function parseFaults(value: unknown): Faults {
  if (value === undefined) return NO_FAULTS
  if (!isObject(value)) throw new InputError('Cannot use `sandbox`: it must be an object')
  for (const [name, knob] of Object.entries(value as object)) {
    const check = CHECKS[name as keyof Faults] as Check | undefined
    if (check === undefined)
      throw new InputError(`Cannot use \`sandbox.${name}\`: there is no such knob (${Object.keys(CHECKS).join(', ')})`)
    if (!check(knob)) throw new InputError(`Cannot use \`sandbox.${name}\`: ${JSON.stringify(knob)} is not a value that it takes`)
  }
  // Every field was checked above.
  return value as Faults
}
