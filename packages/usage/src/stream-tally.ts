import { generatedBytes } from './generated-bytes.ts'
import type { Asked } from './observation.ts'
import type { Api } from './record.ts'
import type { LongEvent, Tally, Word } from './tally.ts'
import { readUsage } from './usage-block.ts'
import { isFields } from './usage-counts.ts'
import type { Fields, UsageCounts, UsageReading } from './usage-counts.ts'

/** The choices that are followed one by one; an engine that is asked for more is counted as one. */
const CHOICES_MAX = 1024

/** Adds up the events of Chat Completions and Completions. */
export class StreamTally implements Tally {
  model: string | undefined
  finishReason: string | undefined
  usage: UsageReading = { kind: 'absent' }
  final = false
  deltas = 0
  contentBytes = 0
  limited = 0
  failed = false
  readonly #api: Api
  readonly #expected: number
  readonly #finished = new Set<number>()
  #blocks: UsageCounts[] = []
  /** Usage came between the ends of choices: then the blocks at their ends are not one for each choice. */
  #running = false

  constructor(api: Api, asked: Asked) {
    this.#api = api
    this.#expected = Math.min(asked.choices * asked.prompts, CHOICES_MAX)
  }

  /** Choices that have ended. */
  get choices(): number {
    return this.#finished.size
  }

  /** One block for each choice, or none. */
  get blocks(): readonly UsageCounts[] {
    return this.#expected > 1 && !this.#running && this.#blocks.length === this.#expected ? this.#blocks : []
  }

  /** An event that was not parsed: its content was measured on its bytes. */
  content(bytes: number): void {
    this.deltas += 1
    this.contentBytes += bytes
  }

  /** `usage` when it has no choices and a usage that is not null. */
  event(event: Fields): Word {
    const { model, choices, usage } = { model: event['model'], choices: event['choices'], usage: event['usage'] }
    if (typeof model === 'string' && model !== '') this.model = model
    if (event['error'] !== undefined && event['error'] !== null) this.failed = true
    let ended = false
    if (Array.isArray(choices)) for (const choice of choices) if (isFields(choice) && this.#choice(choice)) ended = true
    if (usage === undefined || usage === null) return 'part'
    const alone = Array.isArray(choices) && choices.length === 0
    this.#usage(readUsage(usage, this.#api), alone, ended)
    return alone ? 'usage' : 'part'
  }

  long({ bytes }: LongEvent): Word {
    this.content(bytes)
    return 'part'
  }

  /** Whether the choice ends here. */
  #choice(choice: Fields): boolean {
    const bytes = contentBytesOf(choice)
    if (bytes > 0) this.content(bytes)
    const reason = choice['finish_reason']
    if (typeof reason !== 'string' || reason === '') return false
    this.finishReason = reason
    const index = choice['index']
    const size = this.#finished.size
    if (size < CHOICES_MAX) this.#finished.add(typeof index === 'number' ? index : -1)
    if (reason === 'length' && this.#finished.size > size) this.limited += 1
    return true
  }

  #usage(usage: UsageReading, alone: boolean, ended: boolean): void {
    if (usage.kind === 'absent') return
    this.usage = usage
    // A stream that goes on gives running counts: the last word comes with or after the ends of all choices.
    this.final = (alone || ended) && this.#finished.size >= this.#expected
    if (this.#expected === 1) return
    if (!alone && !ended) this.#running = true
    // The k-th block of an engine that reports choice by choice comes when k choices have ended, and not later.
    else if (usage.kind === 'counts' && this.#blocks.length + 1 === this.#finished.size) this.#blocks.push(usage.counts)
    else this.#running = true
  }
}

/** Bytes of what was generated in a choice of a chunk (`delta` or `text`) or of a whole reply (`message` or `text`). */
function contentBytesOf(choice: Fields): number {
  const delta = choice['delta'] ?? choice['message']
  const text = choice['text']
  let bytes = typeof text === 'string' ? Buffer.byteLength(text) : 0
  if (!isFields(delta)) return bytes
  // Engines that are changing the name send the same text under both.
  const reasoning = Math.max(generatedBytes(delta['reasoning']), generatedBytes(delta['reasoning_content']))
  bytes += reasoning + generatedBytes(delta['content']) + generatedBytes(delta['refusal'])
  bytes += generatedBytes(delta['tool_calls']) + generatedBytes(delta['function_call'])
  return bytes > 0 ? bytes : generatedBytes(delta)
}
