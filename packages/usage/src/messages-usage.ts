import { countOf, fieldsOf, isCount, unclassifiedOf } from './usage-counts.ts'
import type { Fields, UsageReading } from './usage-counts.ts'

const CLASSED: ReadonlySet<string> = new Set([
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'ephemeral_5m_input_tokens',
  'ephemeral_1h_input_tokens',
  'reasoning_tokens',
  'thinking_tokens',
])
const INPUT = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'] as const

/**
 * Reads a usage object of Anthropic's Messages. Here what was read from a cache and what was written to one stand beside
 * `input_tokens`, and all three together are the prompt. `cache_creation` splits what was written by how long it stays; what the split
 * does not cover stays for five minutes. A class that is no count makes the whole prompt invalid, since nothing else covers it.
 */
export function readMessagesUsage(usage: Fields): UsageReading {
  const plain = countOf(usage['input_tokens'])
  const completion = countOf(usage['output_tokens'])
  const cached = countOf(usage['cache_read_input_tokens'])
  const writes = cacheWrites(usage)
  if (plain === undefined && completion === undefined && cached === undefined && writes.total === 0) return { kind: 'absent' }
  const prompt = (plain ?? Number.NaN) + (cached ?? 0) + writes.total
  const isPrompt = Number.isSafeInteger(prompt)
  if (!isPrompt || !isCount(completion)) return { kind: 'invalid', ...(isPrompt && { prompt }), ...(isCount(completion) && { completion }) }
  const details = fieldsOf(usage['output_tokens_details'])
  const thinking = countOf(details['thinking_tokens'] ?? details['reasoning_tokens'])
  return {
    kind: 'counts',
    counts: {
      prompt,
      cached: cached ?? 0,
      cacheWrite5m: writes.total - writes.hour,
      cacheWrite1h: writes.hour,
      inputAudio: 0,
      inputImage: 0,
      completion,
      reasoning: thinking === undefined ? 0 : isCount(thinking) ? Math.min(thinking, completion) : undefined,
      outputAudio: 0,
      outputImage: 0,
      unclassified: unclassifiedOf(usage, CLASSED),
      flagged: writes.flagged || (thinking !== undefined && !(thinking <= completion)),
    },
  }
}

/** `total` is NaN where something is no count. */
function cacheWrites(usage: Fields): { readonly total: number; readonly hour: number; readonly flagged: boolean } {
  const split = fieldsOf(usage['cache_creation'])
  const hour = countOf(split['ephemeral_1h_input_tokens']) ?? 0
  const parts = (countOf(split['ephemeral_5m_input_tokens']) ?? 0) + hour
  const total = countOf(usage['cache_creation_input_tokens']) ?? parts
  return { total: Number.isNaN(parts) ? parts : total, hour: Math.min(hour, total), flagged: parts > total }
}

/**
 * The counts of a stream, after one more event has said some: they are cumulative, so the last word on each member stands. One that
 * leaves no input at all where there had been some comes from an engine that fills the event with zeros: then the input stands.
 */
export function mergedUsage(before: Fields, said: Fields): Fields {
  const merged = { ...before, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null)) }
  if (!hasInput(before) || hasInput(merged)) return merged
  return { ...merged, ...Object.fromEntries([...INPUT, 'cache_creation'].map((name) => [name, before[name]])) }
}

function hasInput(usage: Fields): boolean {
  return INPUT.some((name) => usage[name] !== undefined && usage[name] !== 0)
}
