import type { TokenClock } from '@ascribe/impersonation'
import type { Clocks } from '@ascribe/kube'

/** The process's clocks as token sources take them. */
export function tokenClockOf({ monotonic, wall, timer }: Clocks): TokenClock {
  return {
    monotonicMs: monotonic,
    wallMs: wall,
    schedule(delayMs, run) {
      const running = timer(delayMs, run)
      return () => running[Symbol.dispose]()
    },
  }
}
