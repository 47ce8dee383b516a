/** How long each key waits after it failed: 5 ms, doubling to 1000 s, a little spread so that an outage does not end in a stampede. */
export type KeyBackoff = {
  next(key: string): number
  forget(key: string): void
  failures(key: string): number
}

const BASE_MS = 5
const MAX_MS = 1_000_000
/** Up to a tenth on top. */
const SPREAD = 0.1

/** Keys that were deleted are forgotten by their last reconcile, which succeeds; so the map holds those that fail just now. */
export function createKeyBackoff(random: () => number): KeyBackoff {
  const failed = new Map<string, number>()
  return {
    next(key) {
      const count = failed.get(key) ?? 0
      failed.set(key, count + 1)
      return Math.min(BASE_MS * 2 ** Math.min(count, 32), MAX_MS) * (1 + random() * SPREAD)
    },
    forget: (key) => void failed.delete(key),
    failures: (key) => failed.get(key) ?? 0,
  }
}
