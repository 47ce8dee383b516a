const RANDOM_DIGITS = 13
const RANDOM_SPACE = 2 ** 52

/** Parts of a million: a whole one is every request. */
const WHOLE_SAMPLE = 1_000_000

/**
 * Whether a request is among so many parts of a million. By the random bits at the end of our own event id: no client can choose to be in or out, and
 * whoever asks again about one id gets one answer.
 */
export function isSampled(eventId: string, partsOfMillion: number): boolean {
  if (partsOfMillion >= WHOLE_SAMPLE) return true
  const random = Number.parseInt(eventId.replaceAll('-', '').slice(-RANDOM_DIGITS), 16)
  return random / RANDOM_SPACE < partsOfMillion / WHOLE_SAMPLE
}
