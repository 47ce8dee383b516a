import { boundText } from './bound-text.ts'
import type { Api, Meters } from './record.ts'

/** The engine's totals, checked. All input classes are inside `prompt`, all output classes inside `completion`, as in a record. */
export type UsageCounts = {
  readonly prompt: number
  /** Undefined when the engine said something that cannot be: then nothing is taken off the full price. */
  readonly cached: number | undefined
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  readonly inputAudio: number
  readonly inputImage: number
  readonly completion: number
  readonly reasoning: number | undefined
  readonly outputAudio: number
  readonly outputImage: number
  /** Numbers that no class stands for, under the engine's names. */
  readonly unclassified: Readonly<Record<string, number>> | undefined
  /** Something in the block was malformed or contradicted the rest. The counts are those that give no credit. */
  readonly flagged: boolean
}

/** What a usage object says: `absent` where it counts nothing, `invalid` where a total is no count; the other one may be. */
export type UsageReading =
  | { readonly kind: 'counts'; readonly counts: UsageCounts }
  | { readonly kind: 'invalid'; readonly prompt?: number; readonly completion?: number }
  | { readonly kind: 'absent' }

export type Fields = Readonly<Record<string, unknown>>

/** The disjoint classes of a record: each 0 or more, together `prompt + completion`. A class that is unknown is not named. */
export function metersOf(counts: UsageCounts, api: Api): Meters {
  const { prompt, cached, cacheWrite5m, cacheWrite1h, inputAudio, inputImage, completion, reasoning, outputAudio, outputImage } = counts
  const meters: Record<string, number> = { input_tokens: prompt - (cached ?? 0) - cacheWrite5m - cacheWrite1h - inputAudio - inputImage }
  if (cached !== undefined && (api !== 'embeddings' || cached > 0)) meters['cached_input_tokens'] = cached
  if (cacheWrite5m > 0) meters['cache_write_5m_tokens'] = cacheWrite5m
  if (cacheWrite1h > 0) meters['cache_write_1h_tokens'] = cacheWrite1h
  if (inputAudio > 0) meters['input_audio_tokens'] = inputAudio
  if (inputImage > 0) meters['input_image_tokens'] = inputImage
  if (api === 'embeddings' && completion === 0) return meters
  meters['output_tokens'] = completion - (reasoning ?? 0) - outputAudio - outputImage
  if (reasoning !== undefined) meters['reasoning_tokens'] = reasoning
  if (outputAudio > 0) meters['output_audio_tokens'] = outputAudio
  if (outputImage > 0) meters['output_image_tokens'] = outputImage
  return meters
}

/** No request comes near it: a larger number is a fault of who wrote it, and nobody is to be charged for that. */
const COUNT_MAX = 1_000_000_000

/** Undefined where nothing is said, NaN where something is said that is no count: a string, whatever is in it, or more than a billion. */
export function countOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  // `-0` is an integer too; adding 0 makes it a plain one.
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= COUNT_MAX ? value + 0 : Number.NaN
}

export function isCount(count: number | undefined): count is number {
  return count !== undefined && !Number.isNaN(count)
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

/** The most that a record keeps of what it cannot class, and how deep it looks: usage blocks of engines stay far below. */
const UNCLASSIFIED_MAX = 16
const UNCLASSIFIED_NAME_MAX = 64
const UNCLASSIFIED_BYTES_MAX = 768
const UNCLASSIFIED_DEPTH_MAX = 3

/**
 * Every number of a usage object, and of the objects in it, whose own name is not among `known`: under the engine's names, `.` between
 * levels. Zeros say nothing and are left out. `undefined`: there is none.
 */
export function unclassifiedOf(usage: Fields, known: ReadonlySet<string>): Readonly<Record<string, number>> | undefined {
  const found: [string, number][] = []
  collect(usage, known, { found, prefix: '', depth: 1, bytes: { left: UNCLASSIFIED_BYTES_MAX } })
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

type Collection = {
  readonly found: [string, number][]
  readonly prefix: string
  readonly depth: number
  readonly bytes: { left: number }
}

function collect(fields: Fields, known: ReadonlySet<string>, into: Collection): void {
  const { found, prefix, depth, bytes } = into
  for (const key in fields) {
    const value = fields[key]
    if (typeof value === 'number') {
      if (value === 0 || known.has(key) || found.length === UNCLASSIFIED_MAX) continue
      const entry: [string, number] = [boundText(prefix + key, UNCLASSIFIED_NAME_MAX), value]
      bytes.left -= Buffer.byteLength(JSON.stringify(entry))
      if (bytes.left >= 0) found.push(entry)
    } else if (depth < UNCLASSIFIED_DEPTH_MAX && isFields(value)) {
      collect(value, known, { ...into, prefix: `${prefix}${key}.`, depth: depth + 1 })
    }
  }
}
