import { KeySet } from './key-set.ts'
import type { Api } from './record.ts'

/**
 * What the value of a key is to us. `choices`: the array of what was generated, whatever it is called. `inside`: an object whose members
 * count as those of the top-level one. `details`: an object with the `reason` why a reply is not complete.
 */
export type Want =
  | 'nothing'
  | 'usage'
  | 'model'
  | 'choices'
  | 'error'
  | 'finish_reason'
  | 'content'
  | 'inside'
  | 'type'
  | 'details'
  | 'reason'

/** A key by its place in the bytes; without them where it was too long to be kept. */
export type KeyAt = { readonly bytes: Buffer | undefined; readonly start: number; readonly end: number }

type Wants = { readonly names: KeySet; readonly wants: readonly Want[] }

const RESPONSES = wantsOf({
  usage: 'usage',
  model: 'model',
  error: 'error',
  output: 'choices',
  status: 'finish_reason',
  incomplete_details: 'details',
})
const MESSAGES = wantsOf({ usage: 'usage', model: 'model', error: 'error', content: 'choices', stop_reason: 'finish_reason' })
const EVENT = wantsOf({ type: 'type', response: 'inside' })
const DETAILS = wantsOf({ reason: 'reason' })
/** What is generated in the output items of Responses. */
const OF_ITEM = wantsOf({ text: 'content', refusal: 'content', arguments: 'content', input: 'content', code: 'content', name: 'content' })
/** What is not, in the blocks of Messages, where the arguments of a tool may have any name. */
const NOT_OF_BLOCK = new KeySet(['type', 'id', 'tool_use_id', 'signature', 'url', 'title', 'cited_text', 'encrypted_content'])

/** Of a key of the top-level object, or of one that stands for it. */
export function memberWant(api: Api, key: KeyAt): Want {
  return wantOf(api === 'messages' ? MESSAGES : RESPONSES, key)
}

/** Of a key of the object that an event is made of. */
export function eventWant(key: KeyAt): Want {
  return wantOf(EVENT, key)
}

export function detailWant(key: KeyAt): Want {
  return wantOf(DETAILS, key)
}

/** Of a key at any depth in what was generated. */
export function contentWant(api: Api, key: KeyAt): Want {
  if (api !== 'messages') return wantOf(OF_ITEM, key)
  return key.bytes !== undefined && NOT_OF_BLOCK.find(key.bytes, key.start, key.end) >= 0 ? 'nothing' : 'content'
}

function wantsOf(wants: Readonly<Record<string, Want>>): Wants {
  return { names: new KeySet(Object.keys(wants)), wants: Object.values(wants) }
}

function wantOf({ names, wants }: Wants, { bytes, start, end }: KeyAt): Want {
  if (bytes === undefined) return 'nothing'
  const found = names.find(bytes, start, end)
  return found >= 0 && names.isExact(found, bytes, start) ? (wants[found] ?? 'nothing') : 'nothing'
}
