import { RefusalError } from './errors.ts'

type Fields = Readonly<Record<string, unknown>>

/** What goes in of a request for Responses or Messages: text, and how far a cache was asked to keep it. */
export type Conversation = {
  readonly text: string
  readonly messages: number
  /** Where in `text` the parts end that are to be kept for an hour, and for five minutes; 0: there are none. Messages only. */
  readonly keep: { readonly hour: number; readonly minutes: number }
}

/** `instructions` and `input`. @throws {RefusalError} */
export function responsesConversation(fields: Fields): Conversation {
  const { input, instructions } = fields
  const reader = new Reader()
  if (typeof instructions === 'string') reader.add(instructions)
  if (typeof input === 'string') reader.add(input)
  else if (Array.isArray(input) && input.length > 0) for (const item of input) reader.item(item)
  else throw new RefusalError(400, "Missing required parameter: 'input'.", { param: 'input' })
  return reader.conversation(typeof input === 'string' ? 1 : (input as readonly unknown[]).length)
}

/** `system` and `messages`. @throws {RefusalError} */
export function messagesConversation(fields: Fields): Conversation {
  const { system, messages } = fields
  const reader = new Reader()
  reader.content(system)
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new RefusalError(400, 'messages: at least one message is required', { param: 'messages' })
  }
  for (const message of messages) reader.item(message)
  return reader.conversation(messages.length)
}

class Reader {
  #text = ''
  #hour = 0
  #minutes = 0

  add(text: string): void {
    this.#text += `${this.#text === '' ? '' : ' '}${text}`
  }

  item(item: unknown): void {
    if (!isFields(item)) return
    this.content(item['content'] ?? item['output'] ?? item['arguments'])
  }

  content(content: unknown): void {
    if (typeof content === 'string') return this.add(content)
    if (!Array.isArray(content)) return
    for (const part of content as readonly unknown[]) {
      if (!isFields(part)) continue
      if (typeof part['text'] === 'string') this.add(part['text'])
      else this.content(part['content'])
      const { cache_control: control } = part
      if (!isFields(control)) continue
      if (control['ttl'] === '1h') this.#hour = this.#text.length
      else this.#minutes = this.#text.length
    }
  }

  conversation(messages: number): Conversation {
    return { text: this.#text, messages, keep: { hour: this.#hour, minutes: this.#minutes } }
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
