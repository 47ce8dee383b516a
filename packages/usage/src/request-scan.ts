import { JsonCursor, MalformedJson } from './json-cursor.ts'
import { KeySet } from './key-set.ts'
import { isMediaApi } from './media/media-asked.ts'
import type { MediaAsked } from './media/media-asked.ts'
import { scanMediaRequest } from './media/media-request.ts'
import type { Api } from './record.ts'
import { readInput, readTools } from './stored-input.ts'

/** Why a request cannot be admitted. For a 400; `param` names the member in question, as OpenAI's errors do. */
export type InvalidRequest = { readonly kind: 'invalid'; readonly message: string; readonly param?: string }

/** Where `stream_options` stands: what {@link spliceIncludeUsage} needs to know. Offsets into the body, half-open. */
export type StreamOptionsAt =
  | { readonly kind: 'absent' }
  /** Null, or anything but an object. */
  | { readonly kind: 'value'; readonly start: number; readonly end: number }
  /** An object without `include_usage`; `start` is the offset after its brace. */
  | { readonly kind: 'object'; readonly start: number; readonly empty: boolean }
  /** An object with it; the range is that of its value. */
  | { readonly kind: 'include_usage'; readonly start: number; readonly end: number }

/** What a request says about its own metering. */
export type RequestFacts = {
  readonly kind: 'request'
  readonly api: Api
  /** Decoded; absent when the body names none. Neither bounded nor cleaned: see `boundText`. */
  readonly model?: string
  /** The token that stands there; `other` is what only a lax engine takes for true or false, `1` or `"true"`. */
  readonly stream: 'absent' | 'null' | 'false' | 'true' | 'other'
  /** Whether the reply may be a stream: `stream` is there and neither false nor null. */
  readonly streams: boolean
  /** Whether `stream_options.include_usage` is literally true. */
  readonly includeUsage: boolean
  /** `n`, or llama-server's `n_cmpl` if that is more; 1 when they are absent or null, and for embeddings. At least 1. */
  readonly choices: number
  /** Elements of a `prompt` or `input` that is a list of texts or of lists of token ids; else 1. At least 1. */
  readonly prompts: number
  /**
   * The largest one of `max_completion_tokens`, `max_tokens` and, for Responses, `max_output_tokens`, since engines differ in which they read;
   * absent unless one is an integer, 0 or more.
   */
  readonly maxTokens?: number
  /**
   * A member by which the engine may generate more than choices × prompts × `maxTokens`: a limit that is no integer of 1 or more, as some
   * engines take 0 and -1 for none; one by an engine's own name; or `best_of`. For Responses also one by which more goes in than the body
   * holds: what is stored, a file by `file_url`, `tools` that the engine runs by itself. Absent: there is none.
   */
  readonly unboundedBy?: string
  /**
   * Responses only: the member by which the engine keeps the response for later requests (`store`), or by which what it has kept goes in
   * beside the body: `previous_response_id`, `conversation`, `prompt`, an `item_reference` or a `file_id` in `input`, and of tools
   * `vector_store_ids`, `container` and the like. Absent: there is none.
   */
  readonly storedBy?: string
  /**
   * Bytes of the text that goes in (`messages`, `prompt` or `input`, with `system` or `instructions`, as escaped in JSON, and `tools` whole);
   * a token id counts as four.
   */
  readonly promptBytes: number
  /** Offset after the brace that opens the body. */
  readonly membersStart: number
  readonly streamOptions: StreamOptionsAt
  /** Of an API that counts other things than text. */
  readonly media?: MediaAsked
}

export type RequestScan = InvalidRequest | RequestFacts

/** What engines on one code base read on every API, whatever its own names are. llama-server's own names go before the common ones there. */
const OF_ALL = ['model', 'stream', 'stream_options', 'n', 'max_tokens', 'max_completion_tokens', 'best_of', 'n_predict', 'n_cmpl'] as const
/** By which an engine keeps something after its reply, or takes something from before; the first one, so that the reply comes later. */
const STATE = ['background', 'store', 'previous_response_id', 'conversation', 'prompt'] as const

/**
 * Members that a bill depends on. Which of two equal keys wins differs from parser to parser, and some (Go's) do not even
 * tell upper case from lower: so a body may have each of them once, whatever the case.
 */
const SINGLE = new KeySet([...OF_ALL, 'messages', 'prompt', 'input', 'tools', 'functions', 'suffix'])
const SINGLE_OF_RESPONSES = new KeySet([...OF_ALL, 'input', 'instructions', 'max_output_tokens', 'tools', ...STATE])
const SINGLE_OF_MESSAGES = new KeySet([...OF_ALL, 'messages', 'system', 'tools'])

function singleOf(api: Api): KeySet {
  if (api === 'responses') return SINGLE_OF_RESPONSES
  return api === 'messages' ? SINGLE_OF_MESSAGES : SINGLE
}

/** What says how much is generated: in another case it counts for some parsers, and not for us. */
const AMOUNTS: ReadonlySet<string> = new Set([
  'n',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'best_of',
  'n_predict',
  'n_cmpl',
])
const IS_STATE: ReadonlySet<string> = new Set(STATE)

const INCLUDE_USAGE = new KeySet(['include_usage'])

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22
const BYTE_ORDER_MARK = 0xef

class Invalid extends Error {
  readonly param: string

  constructor(message: string, param: string) {
    super(message)
    this.param = param
  }
}

/** While it is being filled. */
type Draft = {
  model?: string
  stream: RequestFacts['stream']
  includeUsage: boolean
  choices: number
  prompts: number
  maxTokens?: number
  unboundedBy?: string
  storedBy?: string
  streamOptions: StreamOptionsAt
}

/**
 * Reads the body of a request on its bytes, the top-level members only, and checks that the whole is one JSON object.
 * Nothing is parsed into values but the model and a few numbers, so the bytes that go up stay the client's. Never throws.
 */
export function scanRequest(body: Buffer, api: Api): RequestScan {
  if (isMediaApi(api)) return scanMediaRequest(body, api)
  try {
    return scan(body, api)
  } catch (cause) {
    if (cause instanceof Invalid) return { kind: 'invalid', message: cause.message, param: cause.param }
    if (cause instanceof MalformedJson) return { kind: 'invalid', message: `The request body is not a JSON object: ${cause.message}` }
    throw cause
  }
}

function scan(body: Buffer, api: Api): RequestFacts {
  const cursor = new JsonCursor(body)
  if (body[0] === BYTE_ORDER_MARK && body[1] === 0xbb && body[2] === 0xbf) cursor.position = 3
  if (cursor.peek() !== OPEN_BRACE) cursor.fail('an object')
  const membersStart = cursor.position + 1
  const draft: Draft = { stream: 'absent', includeUsage: false, choices: 1, prompts: 1, streamOptions: { kind: 'absent' } }
  if (cursor.open(CLOSE_BRACE)) {
    const singles = singleOf(api)
    let seen = 0
    do {
      const single = cursor.key(singles)
      if (single < 0) {
        cursor.skip(1)
        continue
      }
      const key = singles.nameOf(single)
      if ((seen & (1 << single)) !== 0) throw repeated(key)
      seen |= 1 << single
      if (cursor.keyIsExact) {
        readMember(cursor, key, api, draft)
        continue
      }
      if (AMOUNTS.has(key)) draft.unboundedBy = key
      if (api === 'responses') readFolded(cursor, key, draft)
      else cursor.skip(1)
    } while (cursor.more(CLOSE_BRACE))
  }
  if (cursor.peek() !== -1) cursor.fail('the end')
  const facts: { -readonly [Name in keyof RequestFacts]: RequestFacts[Name] } = {
    kind: 'request',
    api,
    stream: draft.stream,
    streams: draft.stream === 'true' || draft.stream === 'other',
    includeUsage: draft.includeUsage,
    choices: draft.choices,
    prompts: draft.prompts,
    promptBytes: cursor.textBytes,
    membersStart,
    streamOptions: draft.streamOptions,
  }
  if (draft.model !== undefined) facts.model = draft.model
  if (draft.maxTokens !== undefined) facts.maxTokens = draft.maxTokens
  if (draft.unboundedBy !== undefined) facts.unboundedBy = draft.unboundedBy
  if (draft.storedBy !== undefined) facts.storedBy = draft.storedBy
  return facts
}

function repeated(key: string): Invalid {
  return new Invalid(`The request body has "${key}" more than once; parsers disagree on which one counts`, key)
}

function readMember(cursor: JsonCursor, key: string, api: Api, draft: Draft): void {
  switch (key) {
    case 'model':
      if (cursor.peek() !== QUOTE) throw new Invalid('"model" must be a string', 'model')
      cursor.string('a string')
      draft.model = cursor.stringValue()
      return
    case 'stream':
      draft.stream = readStream(cursor)
      return
    case 'stream_options':
      readStreamOptions(cursor, draft)
      return
    case 'n':
      if (api === 'embeddings') cursor.skip(1)
      else draft.choices = Math.max(draft.choices, readChoices(cursor, key, api))
      return
    case 'n_cmpl':
      // llama-server's own name for `n`, which it looks at first.
      if (cursor.peek() !== 0x6e) draft.unboundedBy = key
      draft.choices = Math.max(draft.choices, readChoices(cursor, key, api))
      return
    case 'max_tokens':
    case 'max_completion_tokens':
    case 'max_output_tokens':
      readLimit(cursor, key, draft)
      return
    case 'best_of':
    case 'n_predict':
      if (token(cursor) !== 'null') draft.unboundedBy = key
      return
    case 'messages':
      if (api === 'chat' || api === 'messages') cursor.skipText(1, false)
      else cursor.skip(1)
      return
    case 'system':
    case 'instructions':
    case 'suffix':
      cursor.skipText(1, true)
      return
    case 'tools':
    case 'functions':
      if (api === 'embeddings') cursor.skip(1)
      else if (api === 'responses' && key === 'tools') readTools(cursor, draft)
      else skipWhole(cursor)
      return
    case 'background':
    case 'store':
    case 'previous_response_id':
    case 'conversation':
      readState(cursor, key, draft)
      return
    case 'prompt':
    case 'input':
      if (api === 'responses') {
        if (key === 'prompt') readState(cursor, key, draft)
        else readInput(cursor, draft)
        return
      }
      if (key === (api === 'completions' ? 'prompt' : api === 'embeddings' ? 'input' : '')) draft.prompts = readPrompts(cursor)
      else cursor.skip(1)
      return
    default:
      cursor.skip(1)
  }
}

/** The bytes of a value as text where they are no container; else undefined, which no number is made of. */
function token(cursor: JsonCursor): string | undefined {
  const first = cursor.peek()
  const start = cursor.position
  cursor.skip(1)
  if (first === OPEN_BRACE || first === OPEN_BRACKET || cursor.position - start > 64) return undefined
  return cursor.bytes.toString('latin1', start, cursor.position)
}

function readStream(cursor: JsonCursor): RequestFacts['stream'] {
  const first = cursor.peek()
  cursor.skip(1)
  // What begins with one of these letters and is valid is one of these words.
  return first === 0x74 ? 'true' : first === 0x66 ? 'false' : first === 0x6e ? 'null' : 'other'
}

function readLimit(cursor: JsonCursor, key: string, draft: Draft): void {
  const text = token(cursor)
  if (text === 'null') return
  const limit = Number(text)
  const isCount = Number.isSafeInteger(limit) && limit >= 0
  if (!isCount || limit === 0) draft.unboundedBy = key
  if (isCount) draft.maxTokens = Math.max(limit, draft.maxTokens ?? 0)
}

function readChoices(cursor: JsonCursor, key: 'n' | 'n_cmpl', api: Api): number {
  const text = token(cursor)
  if (text === 'null') return 1
  const choices = Number(text)
  if (!Number.isSafeInteger(choices) || choices < 1) throw new Invalid(`"${key}" must be an integer, 1 or more`, key)
  // These APIs have no choices; an engine that generates some all the same reports one.
  if (choices > 1 && (api === 'responses' || api === 'messages'))
    throw new Invalid(`"${key}" is not a member of this API; leave it out`, key)
  return choices
}

/** What an engine writes into the prompt nearly as it stands: names, descriptions and schemas of tools. */
function skipWhole(cursor: JsonCursor): void {
  cursor.peek()
  const start = cursor.position
  cursor.skip(1)
  cursor.textBytes += cursor.position - start
}

function readState(cursor: JsonCursor, key: string, draft: Draft): void {
  const first = cursor.peek()
  cursor.skip(1)
  // What begins with one of these letters and is valid is `false` or `null`.
  if (first === 0x66 || first === 0x6e) return
  if (key === 'background') {
    throw new Invalid('Background responses are not served, as their usage comes later than their reply; leave "background" out', key)
  }
  draft.storedBy = key
  if (key !== 'store') draft.unboundedBy = key
}

/** A name in another case, which counts for some parsers: what lets in more than the body holds is looked at, and nothing else. */
function readFolded(cursor: JsonCursor, key: string, draft: Draft): void {
  if (IS_STATE.has(key)) readState(cursor, key, draft)
  else if (key === 'input') readInput(cursor, draft)
  else if (key === 'tools') readTools(cursor, draft)
  else cursor.skip(1)
}

function readStreamOptions(cursor: JsonCursor, draft: Draft): void {
  if (cursor.peek() !== OPEN_BRACE) {
    const start = cursor.position
    cursor.skip(1)
    draft.streamOptions = { kind: 'value', start, end: cursor.position }
    return
  }
  const start = cursor.position + 1
  if (!cursor.open(CLOSE_BRACE)) {
    draft.streamOptions = { kind: 'object', start, empty: true }
    return
  }
  draft.streamOptions = { kind: 'object', start, empty: false }
  let seen = false
  do {
    const isWish = cursor.key(INCLUDE_USAGE) >= 0
    const { keyIsExact } = cursor
    cursor.peek()
    const valueStart = cursor.position
    cursor.skip(2)
    if (!isWish) continue
    if (seen) {
      throw new Invalid('"stream_options" has "include_usage" more than once; parsers disagree on which one counts', 'stream_options')
    }
    seen = true
    if (!keyIsExact) continue
    draft.streamOptions = { kind: 'include_usage', start: valueStart, end: cursor.position }
    draft.includeUsage = cursor.bytes.toString('latin1', valueStart, cursor.position) === 'true'
  } while (cursor.more(CLOSE_BRACE))
}

/** Reads `prompt` or `input`. A flat list of token ids is one prompt; texts and lists of ids are one each. */
function readPrompts(cursor: JsonCursor): number {
  if (cursor.peek() !== OPEN_BRACKET) {
    cursor.skipText(1, true)
    return 1
  }
  if (!cursor.open(CLOSE_BRACKET)) return 1
  let prompts = 0
  do {
    const first = cursor.peek()
    if (first === QUOTE || first === OPEN_BRACKET || first === OPEN_BRACE) prompts += 1
    cursor.skipText(2, true)
  } while (cursor.more(CLOSE_BRACKET))
  return Math.max(prompts, 1)
}
