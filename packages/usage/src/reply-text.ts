import { generatedText } from './generated-bytes.ts'
import { isFields } from './usage-counts.ts'
import type { Fields } from './usage-counts.ts'

/** The choices whose text is kept, one by one. */
const CHOICES_MAX = 8

/**
 * Keeps what a stream of Chat Completions or Completions generates, choice by choice, for an engine's own tokenizer. `take` is asked for
 * room before anything is kept; once it refuses, or once an event comes that is too long to be read, nothing is kept any more.
 */
export class ReplyText {
  readonly #take: (bytes: number) => boolean
  readonly #texts = new Map<number, string[]>()
  #lost = false

  constructor(take: (bytes: number) => boolean) {
    this.#take = take
  }

  /** Of each choice that has any, all of it; `undefined` when some is missing. */
  get texts(): readonly string[] | undefined {
    return this.#lost ? undefined : [...this.#texts.values()].map((parts) => parts.join(''))
  }

  /** `undefined`: an event that was too long to be read. */
  event(event: Fields | undefined): void {
    if (this.#lost) return
    if (event === undefined) {
      this.#lose()
      return
    }
    const { choices } = { choices: event['choices'] }
    if (Array.isArray(choices)) for (const choice of choices) if (isFields(choice)) this.#choice(choice)
  }

  #choice(choice: Fields): void {
    const delta = choice['delta']
    let text = generatedText(choice['text'])
    if (isFields(delta)) {
      const { reasoning, reasoning_content: reasoningContent, ...rest } = delta
      // Engines that are changing the name send the same text under both.
      text += generatedText(reasoningContent ?? reasoning) + generatedText(rest)
    }
    if (text !== '') this.#keep(typeof choice['index'] === 'number' ? choice['index'] : 0, text)
  }

  #keep(index: number, text: string): void {
    const kept = this.#texts.get(index)
    if ((kept === undefined && this.#texts.size === CHOICES_MAX) || !this.#take(Buffer.byteLength(text))) {
      this.#lose()
      return
    }
    if (kept === undefined) this.#texts.set(index, [text])
    else kept.push(text)
  }

  #lose(): void {
    this.#lost = true
    this.#texts.clear()
  }
}

/**
 * The text that goes in with a request of `api`, prompt by prompt, as far as it is text; `undefined` for a body that holds none, or images and
 * sound. What the other API calls its text is not looked at: an engine passes over it.
 */
export function promptTexts(body: Buffer, api: 'chat' | 'completions'): readonly string[] | undefined {
  let request: unknown
  try {
    request = JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
  if (!isFields(request)) return undefined
  if (api === 'completions') {
    const { prompt, suffix } = request
    const prompts: readonly unknown[] = Array.isArray(prompt) ? prompt : [prompt]
    if (!prompts.every((each) => typeof each === 'string')) return undefined
    return typeof suffix === 'string' ? [...prompts, suffix] : prompts
  }
  const { messages, tools, functions } = request
  if (!Array.isArray(messages)) return undefined
  const parts: string[] = []
  for (const message of messages) if (!isFields(message) || !collectMessage(message, parts)) return undefined
  for (const each of [tools, functions]) if (each !== undefined && each !== null) parts.push(JSON.stringify(each))
  return [parts.join('\n')]
}

/** Members of a message, beside its content, that an engine writes into the prompt. */
const ALSO_TEXT = ['name', 'tool_calls', 'function_call', 'reasoning_content', 'reasoning', 'refusal'] as const

/** Whether it was text, or nothing. */
function collectMessage(message: Fields, into: string[]): boolean {
  for (const member of ALSO_TEXT) {
    const text = generatedText(message[member])
    if (text !== '') into.push(text)
  }
  return collectContent(message['content'], into)
}

/** Whether it was text, or nothing. */
function collectContent(content: unknown, into: string[]): boolean {
  if (typeof content === 'string') into.push(content)
  if (!Array.isArray(content)) return typeof content === 'string' || content === undefined || content === null
  for (const part of content) {
    if (!isFields(part) || typeof part['text'] !== 'string') return false
    into.push(part['text'])
  }
  return true
}
