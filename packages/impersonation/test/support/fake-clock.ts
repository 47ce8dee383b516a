import { setImmediate } from 'node:timers/promises'
import type { TokenClock } from '../../src/clock.ts'

/** A clock that stands until it is told to go on. */
export type FakeClock = TokenClock & {
  /** Goes on, and runs what falls due on the way, in order. */
  advance(ms: number): void
  /** Sets the wall clock off, as an administrator or NTP does; what is measured goes on as it was. */
  jumpWall(ms: number): void
  /** What waits for its instant. */
  readonly pending: number
}

export function createFakeClock(): FakeClock {
  let now = 1_000_000
  let wall = 1_800_000_000_000
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  return {
    monotonicMs: () => now,
    wallMs: () => wall,
    schedule(delayMs, run) {
      const timer = { at: now + delayMs, run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        wall += Math.max(0, next.at - now)
        now = Math.max(now, next.at)
        next.run()
      }
      wall += end - now
      now = end
    },
    jumpWall: (ms) => void (wall += ms),
    get pending() {
      return timers.size
    },
  }
}

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  await setImmediate()
}
