import type { Clocks } from './clocks.ts'

export type Backoff = {
  /** How long to wait now; grows with each call. */
  next(): number
}

/**
 * Waits that double from `baseMs` to `maxMs`, each between the full wait and half of it, so that those who met do not meet again. Begins
 * anew when nothing has failed for `resetMs`.
 */
export function createBackoff(options: {
  readonly clocks: Clocks
  readonly random: () => number
  readonly baseMs: number
  readonly maxMs: number
  readonly resetMs: number
}): Backoff {
  const { clocks, random, baseMs, maxMs, resetMs } = options
  let waitMs = baseMs
  let last = -Infinity
  return {
    next() {
      const now = clocks.monotonic()
      if (now - last > resetMs) waitMs = baseMs
      last = now
      const chosen = waitMs * (0.5 + random() / 2)
      waitMs = Math.min(waitMs * 2, maxMs)
      return chosen
    },
  }
}
