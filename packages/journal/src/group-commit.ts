/** How {@link GroupCommit} gets at the disk and reports. */
export type GroupCommitOptions = {
  /**
   * Milliseconds between the starts of two commits under load; 0: the next starts when the one before ends. Up to
   * four times as many while the event loop has more to do than time.
   */
  readonly intervalMs: number
  /** Written data that nobody waits for (intents) is committed at the latest this many milliseconds later. */
  readonly lazyMs: number
  readonly sync: (done: (error: Error | null) => void) => void
  /** A commit succeeded: `seconds` is what the fdatasync took. */
  readonly onCommit: (seconds: number) => void
  readonly onFault: (cause: Error) => void
}

// Commits that may start without a pause after idleness. Below one request an interval nobody waits for a timer then, and
// timers take 1 ms at least; above, pacing is what saves the CPU (README: measured). A busy loop gets none: there is no idleness.
const BURST = 4

// How much longer the interval becomes when the event loop never rests: a commit costs the CPU of two or three requests, which
// those who wait for it lack (README: measured).
const BUSY_FACTOR = 4
// From this share of time on the event loop counts as busy.
const BUSY_FROM = 0.5

/**
 * Group commit: at most one fdatasync in flight, and each covers everything that was written before it started. The first
 * few after idle start at once, under load they are `intervalMs` apart. Times are of the monotonic clock.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  #waiting: PromiseWithResolvers<void>[] = []
  #inFlight: PromiseWithResolvers<void>[] | undefined
  #dirty = false
  #urgent = false
  #startedAt = 0
  /** From when on another commit may start without being urgent. */
  #allowedAt = Number.NEGATIVE_INFINITY
  #load = performance.eventLoopUtilization()
  #timer: NodeJS.Timeout | undefined
  #lazyTimer: NodeJS.Timeout | undefined
  #stopped = false
  #onIdle: (() => void) | undefined

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Data was written; `waiter`, if any, is to be resolved once it is durable. `urgent`: not to wait for the interval. Follow up with {@link pace}. */
  written(waiter: PromiseWithResolvers<void> | undefined, urgent: boolean): void {
    this.#dirty = true
    this.#urgent ||= urgent
    if (waiter !== undefined) this.#waiting.push(waiter)
  }

  /** Starts a commit if one is due, or sees to it that one will be. */
  pace(): void {
    if (this.#stopped || this.#inFlight !== undefined || !this.#dirty) return
    if (this.#waiting.length === 0 && !this.#urgent) {
      this.#lazyTimer ??= setTimeout(this.#start, this.#options.lazyMs)
      return
    }
    const wait = this.#urgent ? 0 : this.#allowedAt - performance.now()
    if (wait <= 0) this.#start()
    else this.#timer ??= setTimeout(this.#start, wait)
  }

  /** Rejects everybody who waits and never syncs again. */
  fail(reason: Error): void {
    this.#stopped = true
    this.#clearTimers()
    for (const waiter of (this.#inFlight ?? []).concat(this.#waiting)) waiter.reject(reason)
    this.#waiting = []
    if (this.#inFlight !== undefined) this.#inFlight = []
  }

  /** Resolves when no fdatasync is in flight: the file may then be closed. */
  idle(): Promise<void> {
    if (this.#inFlight === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Ends the pacing of a writer that has committed everything. */
  stop(): void {
    this.#stopped = true
    this.#clearTimers()
  }

  readonly #start = (): void => {
    this.#clearTimers()
    if (this.#stopped || this.#inFlight !== undefined) return
    this.#inFlight = this.#waiting
    this.#waiting = []
    this.#dirty = false
    this.#urgent = false
    this.#startedAt = performance.now()
    const stretch = this.#stretch()
    const intervalMs = this.#options.intervalMs * stretch
    const burst = stretch === 1 ? BURST : 1
    this.#allowedAt = Math.max(this.#allowedAt, this.#startedAt - (burst - 1) * intervalMs) + intervalMs
    this.#options.sync(this.#done)
  }

  /** From 1, where the event loop has rested half of the time since the last commit, to {@link BUSY_FACTOR}, where it never has. */
  #stretch(): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#load)
    this.#load = now
    return 1 + (BUSY_FACTOR - 1) * Math.max(0, (utilization - BUSY_FROM) / (1 - BUSY_FROM))
  }

  readonly #done = (error: Error | null): void => {
    // A fault leads to fail(), which rejects the group in flight with everybody else.
    if (error !== null && !this.#stopped) this.#options.onFault(error)
    const group = this.#inFlight ?? []
    this.#inFlight = undefined
    if (!this.#stopped) {
      for (const waiter of group) waiter.resolve()
      this.#options.onCommit((performance.now() - this.#startedAt) / 1000)
    }
    this.#onIdle?.()
    this.pace()
  }

  #clearTimers(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#lazyTimer)
    this.#timer = undefined
    this.#lazyTimer = undefined
  }
}
