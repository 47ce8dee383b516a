/** Time as this package needs it. Tests drive one of their own. */
export type TokenClock = {
  /** Milliseconds that only go forward; lifetimes are measured in them, since the wall clock jumps. */
  monotonicMs(): number
  /** UTC epoch milliseconds, for people and records. */
  wallMs(): number
  /** Calls `run` once, `delayMs` from now; the answer calls it off. Does not keep the process alive. */
  schedule(delayMs: number, run: () => void): () => void
}

/** The machine's clocks. */
export const systemTokenClock: TokenClock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
