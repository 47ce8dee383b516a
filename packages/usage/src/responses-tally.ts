import { generatedBytes } from './generated-bytes.ts'
import type { LongEvent, Tally, Word } from './tally.ts'
import { readUsage } from './usage-block.ts'
import { isFields } from './usage-counts.ts'
import type { Fields, UsageCounts, UsageReading } from './usage-counts.ts'

/** Events after which nothing comes; each holds the whole response, with its usage. */
const ENDS: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled'])

/** Adds up the events of OpenAI's Responses. */
export class ResponsesTally implements Tally {
  model: string | undefined
  finishReason: string | undefined
  usage: UsageReading = { kind: 'absent' }
  final = false
  readonly blocks: readonly UsageCounts[] = []
  deltas = 0
  contentBytes = 0
  choices = 0
  readonly limited = 0
  failed = false
  /** A piece has come as such: what repeats it in one, once it is whole, does not count. */
  #inPieces = false

  content(bytes: number): void {
    this.deltas += 1
    this.contentBytes += bytes
  }

  event(event: Fields): Word {
    const { type, response } = { type: event['type'], response: event['response'] }
    if (type === 'error' || isError(event)) this.failed = true
    if (typeof type === 'string') this.#piece(type, event)
    const isEnd = ENDS.has(type)
    this.#take(isFields(response) ? response : event, isEnd)
    return isEnd ? 'end' : 'part'
  }

  long({ bytes, type, model, finishReason, usage }: LongEvent): Word {
    if (type?.endsWith('.delta') === true) this.content(bytes)
    const isEnd = ENDS.has(type)
    if (model !== undefined && model !== '') this.model = model
    if (usage.kind !== 'absent') this.usage = usage
    if (isEnd) this.#end(finishReason)
    return isEnd ? 'end' : 'part'
  }

  #piece(type: string, event: Fields): void {
    if (type.endsWith('.delta')) {
      this.#inPieces = true
      this.#generated(generatedBytes(event['delta']))
    } else if (type === 'response.output_item.added') {
      const { item } = { item: event['item'] }
      // The name of a function is generated, and comes in no piece.
      if (isFields(item)) this.#generated(generatedBytes(item['name']))
    } else if (!this.#inPieces && type.endsWith('.done')) {
      this.#generated(generatedBytes(event['text'] ?? event['arguments'] ?? event['refusal'] ?? event['input'] ?? event['code']))
    }
  }

  #generated(bytes: number): void {
    if (bytes > 0) this.content(bytes)
  }

  #take(response: Fields, isEnd: boolean): void {
    const { model, usage, status, incomplete_details: details } = response
    if (typeof model === 'string' && model !== '') this.model = model
    if (isError(response)) this.failed = true
    const reading = readUsage(usage, 'responses')
    if (reading.kind !== 'absent') this.usage = reading
    if (!isEnd) return
    const reason = isFields(details) ? details['reason'] : undefined
    this.#end(typeof reason === 'string' && reason !== '' ? reason : typeof status === 'string' ? status : undefined)
  }

  #end(finishReason: string | undefined): void {
    if (finishReason !== undefined && finishReason !== '') this.finishReason = finishReason
    this.final = this.usage.kind !== 'absent'
    this.choices = 1
  }
}

function isError(fields: Fields): boolean {
  return fields['error'] !== undefined && fields['error'] !== null
}
