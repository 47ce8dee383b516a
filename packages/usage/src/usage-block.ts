import type { Api, Meters } from './record.ts'

/** The engine's totals, checked. `cached` is inside `prompt`, `reasoning` inside `completion`, as in a record. */
export type UsageCounts = {
  readonly prompt: number
  /** Undefined when the engine said something that cannot be: then nothing is taken off the full price. */
  readonly cached: number | undefined
  readonly inputAudio: number
  readonly completion: number
  readonly reasoning: number | undefined
  readonly outputAudio: number
  /** Something in the block was malformed or contradicted the rest. The counts are those that give no credit. */
  readonly flagged: boolean
}

/** What a usage object says: `absent` where it counts nothing, `invalid` where a total is no count; the other one may be. */
export type UsageReading =
  | { readonly kind: 'counts'; readonly counts: UsageCounts }
  | { readonly kind: 'invalid'; readonly prompt?: number; readonly completion?: number }
  | { readonly kind: 'absent' }

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads a usage object of Chat Completions, Completions or Embeddings. A count is an integer from 0 to 2^53 - 1 (`300.0` is
 * one); anything else makes a total invalid, and a detail unknown. Null and absent are the same.
 *
 * - Cached tokens are inside `prompt_tokens`: `prompt_tokens_details.cached_tokens`, or DeepSeek's `prompt_cache_hit_tokens`
 *   where hits and misses add up to the prompt.
 * - Reasoning tokens are inside `completion_tokens`, unless `total_tokens` proves them to stand beside it (as xAI and Gemini
 *   report): then they are added.
 * - Other details (text, image, predicted tokens, …) are parts of the totals without a class of their own: they stay where
 *   they are, in the plain class. So does a class that we do not know: to take it out we would have to know that it is inside.
 */
export function readUsage(usage: unknown, api: Api): UsageReading {
  if (!isFields(usage)) return { kind: usage === null || usage === undefined ? 'absent' : 'invalid' }
  const total = countOf(usage['total_tokens'])
  const prompt = countOf(usage['prompt_tokens']) ?? (api === 'embeddings' ? total : undefined)
  const completion = countOf(usage['completion_tokens']) ?? (api === 'embeddings' ? 0 : difference(total, prompt))
  if (prompt === undefined && completion === undefined && total === undefined) return { kind: 'absent' }
  if (!isCount(prompt) || !isCount(completion)) {
    return { kind: 'invalid', ...(isCount(prompt) && { prompt }), ...(isCount(completion) && { completion }) }
  }
  return { kind: 'counts', counts: detail(usage, prompt, completion, total) }
}

function isCount(count: number | undefined): count is number {
  return count !== undefined && !Number.isNaN(count)
}

function detail(usage: Fields, prompt: number, completionSaid: number, total: number | undefined): UsageCounts {
  const input = fieldsOf(usage['prompt_tokens_details'])
  const output = fieldsOf(usage['completion_tokens_details'])
  const cached = within(countOf(input['cached_tokens']) ?? cacheHits(usage, prompt), prompt)
  const inputAudio = within(countOf(input['audio_tokens']), prompt - (cached.value ?? 0))
  const said = countOf(output['reasoning_tokens'])
  const beside = said !== undefined && said > 0 && total === prompt + completionSaid + said && Number.isSafeInteger(total)
  const completion = beside ? completionSaid + said : completionSaid
  const reasoning = within(said, completion)
  const outputAudio = within(countOf(output['audio_tokens']), completion - (reasoning.value ?? 0))
  const contradicted = total !== undefined && total !== prompt + completion
  return {
    prompt,
    cached: cached.value,
    inputAudio: inputAudio.value ?? 0,
    completion,
    reasoning: reasoning.value,
    outputAudio: outputAudio.value ?? 0,
    flagged: contradicted || cached.flagged || inputAudio.flagged || reasoning.flagged || outputAudio.flagged,
  }
}

/** The disjoint classes of a record: each 0 or more, together `prompt + completion`. A class that is unknown is not named. */
export function metersOf(counts: UsageCounts, api: Api): Meters {
  const { prompt, cached, inputAudio, completion, reasoning, outputAudio } = counts
  const meters: Record<string, number> = { input_tokens: prompt - (cached ?? 0) - inputAudio }
  if (cached !== undefined && (api !== 'embeddings' || cached > 0)) meters['cached_input_tokens'] = cached
  if (inputAudio > 0) meters['input_audio_tokens'] = inputAudio
  if (api === 'embeddings' && completion === 0) return meters
  meters['output_tokens'] = completion - (reasoning ?? 0) - outputAudio
  if (reasoning !== undefined) meters['reasoning_tokens'] = reasoning
  if (outputAudio > 0) meters['output_audio_tokens'] = outputAudio
  return meters
}

/** Undefined where nothing is said, NaN where something is said that is no count. A string is none, whatever is in it. */
function countOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  // `-0` is an integer too; adding 0 makes it a plain one.
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value + 0 : Number.NaN
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

/** A part of a whole: absent means 0, malformed means unknown, too much means all of it. The latter two are flagged. */
function within(part: number | undefined, whole: number): { readonly value: number | undefined; readonly flagged: boolean } {
  if (part === undefined) return { value: 0, flagged: false }
  if (Number.isNaN(part)) return { value: undefined, flagged: true }
  return part <= whole ? { value: part, flagged: false } : { value: whole, flagged: true }
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
