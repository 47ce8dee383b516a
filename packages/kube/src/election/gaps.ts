import type { Clocks } from '../clocks.ts'

/** Often enough that a gap is seen before much else runs, and cheap. */
const TICK_MS = 250

/**
 * Calls `onGap` when the event loop stood still for longer than `gapMs`, by either clock: the process was stopped, starved, or the machine
 * slept. Timers that were due meanwhile run in the order in which they were due, so this is among the first things that run afterwards.
 */
export function watchGaps(clocks: Clocks, { gapMs, onGap }: { readonly gapMs: number; readonly onGap: (ms: number) => void }): Disposable {
  let last = { monotonic: clocks.monotonic(), wall: clocks.wall() }
  let timer: Disposable | undefined
  const tick = (): void => {
    const now = { monotonic: clocks.monotonic(), wall: clocks.wall() }
    const gap = Math.max(now.monotonic - last.monotonic, now.wall - last.wall) - TICK_MS
    last = now
    if (gap > gapMs) return onGap(gap)
    timer = clocks.timer(TICK_MS, tick)
  }
  timer = clocks.timer(TICK_MS, tick)
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() }
}
