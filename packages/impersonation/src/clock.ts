/** Time as this package needs it. Tests drive one of their own. */
export type TokenClock = {
  /** Milliseconds that only go forward; lifetimes are measured in them, since the wall clock jumps. */
  monotonicMs(): number
  /** UTC epoch milliseconds, for people and records. */
  wallMs(): number
  /** Calls `run` once, `delayMs` from now; the answer calls it off. Somebody waits for it, unless it is `isBackground`: that must not keep a process alive. */
  schedule(delayMs: number, run: () => void, options?: { readonly isBackground?: boolean }): () => void
}

/** The machine's clocks. */
export const systemTokenClock: TokenClock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  schedule(delayMs, run, { isBackground = false } = {}) {
    const timer = setTimeout(run, delayMs)
    if (isBackground) timer.unref()
    return () => clearTimeout(timer)
  },
}
