import type { Asked } from '../observation.ts'
import type { LongEvent, Tally, Word } from '../tally.ts'
import type { Fields, UsageCounts, UsageReading } from '../usage-counts.ts'
import type { MediaApi } from './media-asked.ts'
import type { MediaSeen } from './media-seen.ts'
import { NO_USAGE, readMediaUsage } from './media-usage.ts'
import type { MediaUsage } from './media-usage.ts'

/** Events after which a stream of OpenAI's audio or images has nothing more to say. */
const LAST: ReadonlySet<string> = new Set(['speech.audio.done', 'transcript.text.done'])
/** One for each image. */
const IMAGE: ReadonlySet<string> = new Set(['image_generation.completed', 'image_edit.completed'])

/**
 * Adds up what the events of a stream of sound, of a transcription or of images say. OpenAI's say by their type what they are, and the last one has
 * the usage; vLLM's transcriptions come in chunks with choices, as of a chat, and end in `[DONE]`.
 */
export class MediaTally implements Tally {
  model: string | undefined
  finishReason: string | undefined
  final = false
  readonly blocks: readonly UsageCounts[] = []
  deltas = 0
  contentBytes = 0
  readonly choices = 0
  readonly limited = 0
  failed = false
  readonly #api: MediaApi
  readonly #wanted: number
  #usage: MediaUsage = NO_USAGE
  #images = 0

  constructor(api: MediaApi, asked: Asked) {
    this.#api = api
    this.#wanted = asked.media?.images ?? 1
  }

  get usage(): UsageReading {
    return this.#usage.tokens
  }

  get media(): MediaSeen {
    return { usage: this.#usage, images: this.#images, endMs: undefined }
  }

  content(bytes: number): void {
    this.deltas += 1
    this.contentBytes += bytes
  }

  event(event: Fields): Word {
    const { model, type, error, usage, choices } = {
      model: event['model'],
      type: event['type'],
      error: event['error'],
      usage: event['usage'],
      choices: event['choices'],
    }
    if (typeof model === 'string' && model !== '') this.model = model
    if (type === 'error' || (error !== undefined && error !== null)) this.failed = true
    else if (!Array.isArray(choices) || choices.length > 0) this.content(1)
    if (usage !== undefined && usage !== null) {
      this.#add(readMediaUsage(this.#api, { usage }))
      // Chunks with choices give running counts, until one without any.
      this.final = !Array.isArray(choices) || choices.length === 0
    }
    return typeof type === 'string' ? this.#end(type) : 'part'
  }

  long({ bytes, type, model, usage }: LongEvent): Word {
    if (model !== undefined && model !== '') this.model = model
    this.content(bytes)
    if (usage.kind !== 'absent') {
      this.#add({ tokens: usage })
      this.final = true
    }
    return type === undefined ? 'part' : this.#end(type)
  }

  #end(type: string): Word {
    if (LAST.has(type)) return 'end'
    if (!IMAGE.has(type)) return 'part'
    this.#images += 1
    return this.#images >= this.#wanted ? 'end' : 'part'
  }

  /** Each of several images comes with its own usage; of all else the last word counts. */
  #add(usage: MediaUsage): void {
    const before = this.#usage.tokens
    const sum = this.#api === 'images' && before.kind === 'counts' && usage.tokens.kind === 'counts' && this.#images > 0
    this.#usage = sum ? { tokens: { kind: 'counts', counts: added(before.counts, usage.tokens.counts) } } : usage
  }
}

function added(one: UsageCounts, other: UsageCounts): UsageCounts {
  const sum = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a + b)
  return {
    prompt: one.prompt + other.prompt,
    cached: sum(one.cached, other.cached),
    cacheWrite5m: one.cacheWrite5m + other.cacheWrite5m,
    cacheWrite1h: one.cacheWrite1h + other.cacheWrite1h,
    inputAudio: one.inputAudio + other.inputAudio,
    inputImage: one.inputImage + other.inputImage,
    completion: one.completion + other.completion,
    reasoning: sum(one.reasoning, other.reasoning),
    outputAudio: one.outputAudio + other.outputAudio,
    outputImage: one.outputImage + other.outputImage,
    unclassified: other.unclassified,
    flagged: one.flagged || other.flagged,
  }
}
