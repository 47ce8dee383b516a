/** Both clocks of the machine and its timers. Tests drive their own: `createFakeClocks` in `@ascribe/kube/testing`. */
export type Clocks = {
  /** Milliseconds since some point in the past; never turned back, and does not jump when somebody sets the time. */
  readonly monotonic: () => number
  /** UTC epoch milliseconds; may jump. */
  readonly wall: () => number
  /** Calls `callback` once after so many milliseconds unless it is disposed of before. */
  readonly timer: (ms: number, callback: () => void) => Disposable
}

/** Longest delay that Node's timers keep; beyond it they fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The machine's. */
export const systemClocks: Clocks = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  timer(ms, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, ms), TIMER_MS_MAX))
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Resolves after so many milliseconds; rejects with the signal's reason as soon as it aborts. */
export function waitFor(clocks: Clocks, ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
  const onAbort = (): void => {
    timer[Symbol.dispose]()
    reject(signal?.reason as Error)
  }
  const timer = clocks.timer(ms, () => {
    signal?.removeEventListener('abort', onAbort)
    resolve()
  })
  signal?.addEventListener('abort', onAbort, { once: true })
  return promise
}
