import { generatedBytes } from './generated-bytes.ts'
import { mergedUsage } from './messages-usage.ts'
import type { LongEvent, Tally, Word } from './tally.ts'
import { readUsage } from './usage-block.ts'
import { fieldsOf, isFields } from './usage-counts.ts'
import type { Fields, UsageCounts, UsageReading } from './usage-counts.ts'

/** Members of a piece of content that are not made of generated tokens: what names it, signs it, or quotes the prompt. */
const NOT_CONTENT: ReadonlySet<string> = new Set(['type', 'id', 'signature', 'citation', 'citations', 'caller'])

/** Adds up the events of Anthropic's Messages: the prompt's counts come with the first one, the output's grow until the last. */
export class MessagesTally implements Tally {
  model: string | undefined
  finishReason: string | undefined
  final = false
  readonly blocks: readonly UsageCounts[] = []
  deltas = 0
  contentBytes = 0
  choices = 0
  readonly limited = 0
  failed = false
  /** Counts so far; anything else where a usage came that is no object. */
  #said: unknown

  get usage(): UsageReading {
    return readUsage(this.#said, 'messages')
  }

  content(bytes: number): void {
    this.deltas += 1
    this.contentBytes += bytes
  }

  event(event: Fields): Word {
    const { type, message } = { type: event['type'], message: event['message'] }
    switch (type) {
      case 'content_block_start':
        this.#block(fieldsOf(event['content_block']))
        break
      case 'content_block_delta':
        this.#generated(fieldsOf(event['delta']))
        break
      case 'error':
        this.failed = true
        break
      default:
    }
    this.#take(isFields(message) ? message : event, fieldsOf(event['delta'])['stop_reason'])
    return type === 'message_stop' ? 'end' : 'part'
  }

  /** Nothing of a stream but content is as long. */
  long({ bytes, type }: LongEvent): Word {
    if (type === 'content_block_delta') this.content(bytes)
    return type === 'message_stop' ? 'end' : 'part'
  }

  #block(block: Fields): void {
    // What a tool of the engine has found is not generated.
    if (typeof block['type'] !== 'string' || !block['type'].endsWith('_result')) this.#generated(block)
  }

  #generated(piece: Fields): void {
    const bytes = generatedBytes(piece, NOT_CONTENT)
    if (bytes > 0) this.content(bytes)
  }

  #take(said: Fields, reason: unknown): void {
    const { model, usage } = said
    if (typeof model === 'string' && model !== '') this.model = model
    if (typeof reason === 'string' && reason !== '') {
      this.finishReason = reason
      this.choices = 1
    }
    if (isFields(usage)) this.#said = mergedUsage(fieldsOf(this.#said), usage)
    else this.#said ??= usage
    this.final = this.choices > 0 && this.#said !== undefined && this.#said !== null
  }
}
