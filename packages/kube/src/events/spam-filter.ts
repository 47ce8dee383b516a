import type { Clocks } from '../clocks.ts'

/** client-go's: 25 at once for one object, then one every five minutes. */
const BURST = 25
const REFILL_MS = 300_000
/** Objects that are remembered; the ones that were quiet longest are forgotten, and may speak again. */
const OBJECTS_MAX = 4096

/** Whether an object may have one more event. */
export function createSpamFilter(clocks: Clocks): (object: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return (object) => {
    const now = clocks.monotonic()
    const known = buckets.get(object) ?? { tokens: BURST, at: now }
    const tokens = Math.min(BURST, known.tokens + (now - known.at) / REFILL_MS)
    buckets.delete(object)
    buckets.set(object, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    const oldest = buckets.size > OBJECTS_MAX ? buckets.keys().next().value : undefined
    if (oldest !== undefined) buckets.delete(oldest)
    return tokens >= 1
  }
}
