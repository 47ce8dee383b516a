import { readMessagesUsage } from './messages-usage.ts'
import type { Api } from './record.ts'
import { countOf, fieldsOf, isCount, isFields, unclassifiedOf } from './usage-counts.ts'
import type { Fields, UsageCounts, UsageReading } from './usage-counts.ts'

/** Members of a usage object that a class stands for, or whose complement one is; of the details, on either side. */
const CLASSED: ReadonlySet<string> = new Set([
  'prompt_tokens',
  'completion_tokens',
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'prompt_cache_hit_tokens',
  'prompt_cache_miss_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'cache_creation_tokens',
  'text_tokens',
  'audio_tokens',
  'image_tokens',
  'reasoning_tokens',
])

/**
 * Reads a usage object of any API. A count is an integer from 0 to a billion (`300.0` is one); anything else makes a total invalid, and
 * a detail unknown. Null and absent are the same. Where all classes are inside the totals (all APIs but Messages, see
 * {@link readMessagesUsage}):
 *
 * - Totals are `prompt_tokens` and `completion_tokens`, or `input_tokens` and `output_tokens` as Responses, images and audio name them.
 * - Cached tokens are inside the prompt: `…_details.cached_tokens`, or DeepSeek's `prompt_cache_hit_tokens` where hits and misses add
 *   up to the prompt. So are those that were written to a cache, `…_details.cache_write_tokens`, which stay for five minutes unless
 *   an engine says more.
 * - Reasoning tokens are inside the completion, unless `total_tokens` proves them to stand beside it (as xAI and Gemini report): then
 *   they are added.
 * - Text is what is left. Numbers without a class stay where they are, in the plain class, and are noted as unclassified: to take
 *   them out we would have to know that they are inside.
 */
export function readUsage(usage: unknown, api: Api): UsageReading {
  if (!isFields(usage)) return { kind: usage === null || usage === undefined ? 'absent' : 'invalid' }
  if (api === 'messages' && !isOfOpenAi(usage)) return readMessagesUsage(usage)
  return readFields(usage, api, unclassifiedOf(usage, CLASSED))
}

/** As {@link readUsage}, for what `scanUsage` found: nothing in it lacks a class. */
export function readPlainUsage(usage: Fields, api: Api): UsageReading {
  if (api === 'messages') return readUsage(usage, api)
  return readFields(usage, api, undefined)
}

/** Some engines report on every API in the names of Chat Completions. */
function isOfOpenAi(usage: Fields): boolean {
  return usage['input_tokens'] === undefined && usage['output_tokens'] === undefined && usage['prompt_tokens'] !== undefined
}

function readFields(usage: Fields, api: Api, unclassified: UsageCounts['unclassified']): UsageReading {
  const total = countOf(usage['total_tokens'])
  const prompt = countOf(usage['prompt_tokens'] ?? usage['input_tokens']) ?? (api === 'embeddings' ? total : undefined)
  const completion = countOf(usage['completion_tokens'] ?? usage['output_tokens']) ?? (api === 'embeddings' ? 0 : difference(total, prompt))
  if (prompt === undefined && completion === undefined && total === undefined) return { kind: 'absent' }
  if (!isCount(prompt) || !isCount(completion)) {
    return { kind: 'invalid', ...(isCount(prompt) && { prompt }), ...(isCount(completion) && { completion }) }
  }
  return { kind: 'counts', counts: detail(usage, { prompt, completion, total, unclassified }) }
}

type Totals = {
  readonly prompt: number
  readonly completion: number
  readonly total: number | undefined
  readonly unclassified: UsageCounts['unclassified']
}

function detail(usage: Fields, { prompt, completion: completionSaid, total, unclassified }: Totals): UsageCounts {
  const input = fieldsOf(usage['prompt_tokens_details'] ?? usage['input_tokens_details'] ?? usage['input_token_details'])
  const output = fieldsOf(usage['completion_tokens_details'] ?? usage['output_tokens_details'] ?? usage['output_token_details'])
  const ofPrompt = new Parts(prompt)
  const cached = ofPrompt.take(countOf(input['cached_tokens']) ?? cacheHits(usage, prompt))
  const cacheWrite5m = ofPrompt.take(countOf(input['cache_write_tokens'] ?? input['cache_creation_tokens']))
  const inputAudio = ofPrompt.take(countOf(input['audio_tokens']))
  const inputImage = ofPrompt.take(countOf(input['image_tokens']))
  const said = countOf(output['reasoning_tokens'])
  const beside = said !== undefined && said > 0 && total === prompt + completionSaid + said && Number.isSafeInteger(total)
  const completion = beside ? completionSaid + said : completionSaid
  const ofCompletion = new Parts(completion)
  const reasoning = ofCompletion.take(said)
  const outputAudio = ofCompletion.take(countOf(output['audio_tokens']))
  const outputImage = ofCompletion.take(countOf(output['image_tokens']))
  const contradicted = total !== undefined && total !== prompt + completion
  return {
    prompt,
    cached,
    cacheWrite5m: cacheWrite5m ?? 0,
    cacheWrite1h: 0,
    inputAudio: inputAudio ?? 0,
    inputImage: inputImage ?? 0,
    completion,
    reasoning,
    outputAudio: outputAudio ?? 0,
    outputImage: outputImage ?? 0,
    unclassified,
    flagged: contradicted || ofPrompt.flagged || ofCompletion.flagged,
  }
}

/** Takes parts off a whole, one after the other. */
class Parts {
  flagged = false
  readonly #whole: number
  #left: number

  constructor(whole: number) {
    this.#whole = whole
    this.#left = whole
  }

  /**
   * Absent means 0, malformed means unknown, and more than is left all that is left: what is cached may be audio too, and counts
   * once. Malformed, and more than the whole, is flagged.
   */
  take(part: number | undefined): number | undefined {
    if (part === undefined) return 0
    if (Number.isNaN(part)) {
      this.flagged = true
      return undefined
    }
    if (part > this.#whole) this.flagged = true
    const taken = Math.min(part, this.#left)
    this.#left -= taken
    return taken
  }
}

function difference(total: number | undefined, part: number | undefined): number | undefined {
  if (total === undefined || part === undefined) return undefined
  return total >= part ? total - part : Number.NaN
}

function cacheHits(usage: Fields, prompt: number): number | undefined {
  const hits = countOf(usage['prompt_cache_hit_tokens'])
  const misses = countOf(usage['prompt_cache_miss_tokens'])
  return hits !== undefined && misses !== undefined && hits + misses === prompt ? hits : undefined
}
