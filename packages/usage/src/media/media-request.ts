import { JsonCursor, MalformedJson } from '../json-cursor.ts'
import { KeySet } from '../key-set.ts'
import type { RequestFacts, RequestScan } from '../request-scan.ts'
import { InvalidMedia, mediaFacts } from './media-asked.ts'
import type { MediaApi, MediaDraft } from './media-asked.ts'

/** Members that a bill depends on, each once and in lower case: parsers disagree on the others. */
const SINGLE = new KeySet([
  'model',
  'stream',
  'stream_format',
  'n',
  'input',
  'prompt',
  'query',
  'documents',
  'texts',
  'image',
  'images',
  // Engines' own names for how many images are made.
  'num_images',
  'num_images_per_prompt',
  'batch_size',
  'n_iter',
  'best_of',
])

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22

/** Reads the JSON body of a request for speech, images or a ranking, its top-level members only. Never throws. */
export function scanMediaRequest(body: Buffer, api: MediaApi): RequestScan {
  const draft = newDraft()
  try {
    if (api !== 'free' || body.length > 0) readBody(new JsonCursor(body), api, draft)
    return finished(api, draft)
  } catch (cause) {
    if (cause instanceof InvalidMedia) {
      return { kind: 'invalid', message: cause.message, ...(cause.param !== undefined && { param: cause.param }) }
    }
    if (!(cause instanceof MalformedJson)) throw cause
    // What costs nothing may be in any format: it then names no model.
    if (api === 'free') return mediaFacts('free', newDraft())
    return { kind: 'invalid', message: `The request body is not a JSON object: ${cause.message}` }
  }
}

function newDraft(): MediaDraft {
  return { stream: 'absent', promptBytes: 0, media: {} }
}

function finished(api: MediaApi, draft: MediaDraft): RequestFacts {
  const { media } = draft
  if (api === 'speech' && media.characters === undefined) throw new InvalidMedia('"input" must be there: it is what is billed', 'input')
  if (api === 'rerank' && media.documents === undefined)
    throw new InvalidMedia('"documents" must be there: they are what is billed', 'documents')
  if (api === 'images') media.images ??= 1
  return mediaFacts(api, draft)
}

function readBody(cursor: JsonCursor, api: MediaApi, draft: MediaDraft): void {
  if (cursor.peek() !== OPEN_BRACE) cursor.fail('an object')
  if (cursor.open(CLOSE_BRACE)) {
    let seen = 0
    do {
      const single = cursor.key(SINGLE)
      if (single < 0) {
        cursor.skip(1)
        continue
      }
      const key = SINGLE.nameOf(single)
      if ((seen & (1 << single)) !== 0)
        throw new InvalidMedia(`The request body has "${key}" more than once; parsers disagree on which one counts`, key)
      seen |= 1 << single
      if (!cursor.keyIsExact)
        throw new InvalidMedia(`The request body has "${key}" in another case; parsers disagree on whether it counts`, key)
      readMember(cursor, { key, api, draft })
    } while (cursor.more(CLOSE_BRACE))
  }
  if (cursor.peek() !== -1) cursor.fail('the end')
  draft.promptBytes = cursor.textBytes
}

type Member = { readonly key: string; readonly api: MediaApi; readonly draft: MediaDraft }

function readMember(cursor: JsonCursor, { key, api, draft }: Member): void {
  const { media } = draft
  switch (key) {
    case 'model':
      media.model = text(cursor, key)
      return
    case 'stream':
      draft.stream = streamOf(cursor, draft.stream)
      return
    case 'stream_format':
      // `sse` makes a stream of speech; it has no `stream`.
      if (cursor.peek() === QUOTE && text(cursor, key) === 'sse') draft.stream = 'true'
      else if (cursor.peek() !== QUOTE) cursor.skip(1)
      return
    default:
  }
  if (api === 'images') readImages(cursor, key, draft)
  else if (api === 'speech' && key === 'input') {
    if (cursor.peek() !== QUOTE) throw new InvalidMedia('"input" must be a string', key)
    cursor.skipText(1, true)
    media.characters = codePoints(cursor.stringValue())
  } else if (api === 'rerank' && key === 'query') {
    const before = cursor.textBytes
    cursor.skipText(1, true)
    media.queryBytes = cursor.textBytes - before
  } else if (api === 'rerank' && (key === 'documents' || key === 'texts')) {
    if (media.documents !== undefined)
      throw new InvalidMedia('"documents" and "texts" are both there; engines disagree on which one counts', key)
    media.documents = elements(cursor, key)
  } else cursor.skip(1)
}

function readImages(cursor: JsonCursor, key: string, draft: MediaDraft): void {
  const { media } = draft
  switch (key) {
    case 'n':
      media.images = count(cursor, key)
      return
    case 'prompt':
      cursor.skipText(1, true)
      return
    case 'image':
    case 'images':
      media.inputImages = (media.inputImages ?? 0) + (cursor.peek() === OPEN_BRACKET ? elements(cursor, key) : one(cursor))
      return
    case 'num_images':
    case 'num_images_per_prompt':
    case 'batch_size':
    case 'n_iter':
    case 'best_of':
      if (cursor.peek() !== 0x6e) draft.unboundedBy = key
      cursor.skip(1)
      return
    default:
      cursor.skip(1)
  }
}

function text(cursor: JsonCursor, key: string): string {
  if (cursor.peek() !== QUOTE) throw new InvalidMedia(`"${key}" must be a string`, key)
  cursor.string('a string')
  return cursor.stringValue()
}

function streamOf(cursor: JsonCursor, known: RequestFacts['stream']): RequestFacts['stream'] {
  const first = cursor.peek()
  cursor.skip(1)
  if (known === 'true') return known
  // What begins with one of these letters and is valid is one of these words.
  return first === 0x74 ? 'true' : first === 0x66 ? 'false' : first === 0x6e ? 'null' : 'other'
}

/** A count of 1 or more; null is 1. */
function count(cursor: JsonCursor, key: string): number {
  const isNull = cursor.peek() === 0x6e
  const start = cursor.position
  cursor.skip(1)
  if (isNull) return 1
  const value = cursor.position - start > 32 ? Number.NaN : Number(cursor.bytes.toString('latin1', start, cursor.position))
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidMedia(`"${key}" must be an integer, 1 or more`, key)
  return value
}

function one(cursor: JsonCursor): number {
  const isNull = cursor.peek() === 0x6e
  cursor.skip(1)
  return isNull ? 0 : 1
}

/** How many elements a list has, their text counted; an empty one counts as one, for a request is never free. */
function elements(cursor: JsonCursor, key: string): number {
  if (cursor.peek() !== OPEN_BRACKET) throw new InvalidMedia(`"${key}" must be a list`, key)
  if (!cursor.open(CLOSE_BRACKET)) return 1
  let found = 0
  do {
    cursor.skipText(2, true)
    found += 1
  } while (cursor.more(CLOSE_BRACKET))
  return found
}

/** As people count characters of a text: a pair of surrogates is one. */
function codePoints(value: string): number {
  let points = value.length
  for (let at = 1; at < value.length; at += 1) {
    const isLow = (value.charCodeAt(at) & 0xfc00) === 0xdc00
    if (isLow && (value.charCodeAt(at - 1) & 0xfc00) === 0xd800) points -= 1
  }
  return points
}
