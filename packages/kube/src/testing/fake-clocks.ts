import type { Clocks } from '../clocks.ts'

/** Clocks that a test drives. */
export type FakeClocks = Clocks & {
  /** Goes forward by so much on both clocks, firing timers in order; what they resolve runs in between. */
  advance(ms: number): Promise<void>
  /** Somebody sets the time; timers and the monotonic clock do not care. */
  setWall(ms: number): void
  /** Both clocks go forward at once and no timer fires meanwhile: the process stood still. */
  freeze(ms: number): void
  /** Timers that have not fired. */
  pending(): number
}

const START = { monotonic: 1_000, wall: Date.UTC(2026, 10, 22) }
/** Promises that hang on one timer may be this many steps from it. */
const TURNS = 20

export function createFakeClocks(): FakeClocks {
  let monotonic = START.monotonic
  let wall = START.wall
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>()

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve()
  }
  return {
    monotonic: () => monotonic,
    wall: () => wall,
    timer(ms, callback) {
      const timer = { at: monotonic + Math.max(0, ms), callback }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    async advance(ms) {
      const end = monotonic + ms
      await settle()
      for (;;) {
        let next: { readonly at: number; readonly callback: () => void } | undefined
        for (const timer of timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer
        if (next === undefined) break
        timers.delete(next)
        wall += Math.max(0, next.at - monotonic)
        monotonic = Math.max(monotonic, next.at)
        next.callback()
        await settle()
      }
      wall += end - monotonic
      monotonic = end
    },
    setWall: (ms) => void (wall = ms),
    freeze(ms) {
      monotonic += ms
      wall += ms
    },
    pending: () => timers.size,
  }
}
