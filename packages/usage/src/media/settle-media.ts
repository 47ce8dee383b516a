import type { Observation } from '../observation.ts'
import type { Meters, Provenance } from '../record.ts'
import type { UsageCounts } from '../usage-counts.ts'
import type { MediaAsked } from './media-asked.ts'
import type { MediaSeen } from './media-seen.ts'
import { mediaMeters } from './media-usage.ts'

/** What a request has used, and how that is known. `counts`: where the engine counted tokens. */
export type MediaQuantities = {
  readonly counts: UsageCounts | undefined
  readonly meters: Meters
  readonly provenance: Provenance
  readonly invalid: boolean
}

/**
 * Sound as it is uploaded takes eight bytes a millisecond (64 kbit/s) or more; less where it was packed for telephones. Used where neither the engine
 * nor the file says how long it is.
 */
const AUDIO_BYTES_PER_MS = 8
/** Cohere's search unit: one query with so many documents. */
export const SEARCH_UNIT_DOCUMENTS = 100

const UNKNOWN: MediaQuantities = { counts: undefined, meters: {}, provenance: 'unknown', invalid: false }

/** As `settle` concludes for text: the engine's word is the truth; what was delivered without a word is counted by what was asked for, never zero. */
export function settleMedia(seen: Observation, media: MediaSeen, status: number | undefined): MediaQuantities {
  const { usage } = media
  if (usage.tokens.kind === 'counts') {
    const { counts } = usage.tokens
    const provenance = seen.final || seen.whole ? 'reported' : 'continuous'
    return { counts, meters: mediaMeters(counts, seen.api), provenance, invalid: counts.flagged }
  }
  if (usage.audioMs !== undefined) return said({ input_audio_ms: usage.audioMs })
  if (usage.searchUnits !== undefined) return said({ search_units: usage.searchUnits })
  const invalid = usage.tokens.kind === 'invalid'
  if ((status ?? 200) >= 400 || !isDelivered(seen)) return { ...UNKNOWN, invalid }
  const asked = seen.asked.media ?? {}
  // The reply itself has the count; a reply that broke off was made whole by the engine all the same.
  if (seen.api === 'images' && seen.whole && media.images !== undefined && (media.images > 0 || seen.form === 'json'))
    return { ...said({ images: media.images }), invalid }
  const meters = estimate(seen, media, asked)
  return meters === undefined ? { ...UNKNOWN, invalid } : { counts: undefined, meters, provenance: 'estimated', invalid }
}

/** Whether anything came that is worth something: in a stream an event that is neither an error nor a comment, else a byte that is no lone error. */
function isDelivered({ form, deltas, bytes, failed }: Observation): boolean {
  return form === 'sse' ? deltas > 0 : bytes > 0 && !failed
}

function said(meters: Meters): MediaQuantities {
  return { counts: undefined, meters, provenance: 'reported', invalid: false }
}

function estimate({ api }: Observation, { images, endMs }: MediaSeen, asked: MediaAsked): Meters | undefined {
  switch (api) {
    case 'speech':
      return { input_characters: Math.max(1, asked.characters ?? 0) }
    case 'transcriptions':
      return { input_audio_ms: Math.max(1, asked.audioMs ?? endMs ?? Math.ceil((asked.audioBytes ?? 0) / AUDIO_BYTES_PER_MS)) }
    case 'images':
      return { images: Math.max(images ?? 0, asked.images ?? 1) }
    case 'rerank':
      return { search_units: Math.max(1, Math.ceil((asked.documents ?? 0) / SEARCH_UNIT_DOCUMENTS)) }
    default:
      return undefined
  }
}
