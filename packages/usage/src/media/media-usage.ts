import type { Api, Meters } from '../record.ts'
import { readUsage } from '../usage-block.ts'
import { countOf, fieldsOf, isCount, isFields, metersOf } from '../usage-counts.ts'
import type { UsageCounts, UsageReading } from '../usage-counts.ts'

/** What the engine says of one request, in whatever it counts. */
export type MediaUsage = {
  readonly tokens: UsageReading
  /** `transcriptions`: milliseconds of sound. */
  readonly audioMs?: number
  /** `rerank`: as Cohere bills. */
  readonly searchUnits?: number
}

export const NO_USAGE: MediaUsage = { tokens: { kind: 'absent' } }

/** A day of sound in one file is more than any engine takes; above that the number is no duration. */
const SECONDS_MAX = 86_400

/**
 * Reads what stands in a reply about its usage: OpenAI's `usage` of audio and images (tokens, or `{"type":"duration","seconds":n}`), the `duration`
 * of a verbose transcription, `usage.total_tokens` alone of rankings (Jina, vLLM), Cohere's `meta.billed_units.search_units`.
 */
export function readMediaUsage(
  api: Api,
  said: { readonly usage: unknown; readonly duration?: unknown; readonly meta?: unknown },
): MediaUsage {
  const { usage } = said
  if (api === 'transcriptions' && isFields(usage) && usage['type'] === 'duration') return ofDuration(usage['seconds'])
  if (api === 'rerank') {
    const billed = fieldsOf(fieldsOf(said.meta)['billed_units'])
    const units = countOf(billed['search_units'])
    if (isCount(units)) return { ...NO_USAGE, searchUnits: units }
    if (units !== undefined) return { tokens: { kind: 'invalid' } }
    return { tokens: readUsage(isFields(usage) ? rankingUsage(usage) : usage, api) }
  }
  const tokens = readUsage(usage, api)
  if (api !== 'transcriptions' || tokens.kind !== 'absent' || said.duration === undefined || said.duration === null) return { tokens }
  return ofDuration(said.duration)
}

/** Rankings generate nothing: what all of it was is the prompt. */
function rankingUsage(usage: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const prompt = usage['prompt_tokens'] ?? usage['input_tokens'] ?? usage['total_tokens']
  return { ...usage, ...(prompt !== undefined && { prompt_tokens: prompt }), completion_tokens: usage['completion_tokens'] ?? 0 }
}

/** Seconds, as a number or as older engines write it, a text. */
function ofDuration(seconds: unknown): MediaUsage {
  const value = typeof seconds === 'string' && /^\d+(?:\.\d+)?$/.test(seconds) ? Number(seconds) : seconds
  if (typeof value !== 'number' || !(value >= 0 && value <= SECONDS_MAX)) return { tokens: { kind: 'invalid' } }
  return { ...NO_USAGE, audioMs: Math.round(value * 1000) }
}

/**
 * The disjoint classes of tokens. What an engine generates for speech is sound, and for images pictures, unless its details say otherwise.
 * Zeros are left out.
 */
export function mediaMeters(counts: UsageCounts, api: Api): Meters {
  const { output_tokens: output = 0, ...meters } = metersOf(counts, api)
  const own = api === 'speech' ? 'output_audio_tokens' : api === 'images' ? 'output_image_tokens' : 'output_tokens'
  const name = (meters[own] ?? 0) > 0 ? 'output_tokens' : own
  const used = Object.entries({ ...meters, [name]: output }).filter(([, quantity]) => quantity > 0)
  return used.length === 0 ? { input_tokens: 0 } : Object.fromEntries(used)
}
