type Waiter = { readonly due: number; readonly wake: () => void; timer?: NodeJS.Timeout }

/** How the sandbox's time moves: with the real one, or only when it is told to. */
export type ClockMode = 'running' | 'frozen'

/**
 * The time of the whole sandbox: what is due happens by it, delays last by it. It can be moved ahead and it can stand still;
 * it never goes back.
 */
export class SandboxClock {
  #aheadMs = 0
  #frozenAt: number | undefined
  readonly #waiters = new Set<Waiter>()

  /** `startAt`: epoch milliseconds at which it begins; default: the real time. */
  constructor(mode: ClockMode = 'running', startAt?: number) {
    if (startAt !== undefined) this.#aheadMs = startAt - Date.now()
    // The real time is read once: between two readings a millisecond may pass.
    if (mode === 'frozen') this.#frozenAt = startAt ?? Date.now()
  }

  get mode(): ClockMode {
    return this.#frozenAt === undefined ? 'running' : 'frozen'
  }

  /** Epoch milliseconds. */
  readonly now = (): number => this.#frozenAt ?? Date.now() + this.#aheadMs

  /** Moves time ahead; whatever waits for an instant that has come goes on. */
  advance(ms: number): void {
    if (this.#frozenAt === undefined) this.#aheadMs += ms
    else this.#frozenAt += ms
    this.#rearm()
  }

  freeze(): void {
    this.#frozenAt ??= this.now()
    this.#rearm()
  }

  run(): void {
    if (this.#frozenAt === undefined) return
    this.#aheadMs = this.#frozenAt - Date.now()
    this.#frozenAt = undefined
    this.#rearm()
  }

  /** Resolves after `ms` of this clock, or at once when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 || signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => {
      clearTimeout(waiter.timer)
      this.#waiters.delete(waiter)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const waiter: Waiter = { due: this.now() + ms, wake }
    this.#waiters.add(waiter)
    signal.addEventListener('abort', wake)
    this.#arm(waiter)
    return promise
  }

  #rearm(): void {
    for (const waiter of this.#waiters) this.#arm(waiter)
  }

  #arm(waiter: Waiter): void {
    clearTimeout(waiter.timer)
    const leftMs = waiter.due - this.now()
    if (leftMs <= 0) waiter.wake()
    // Bounded, since a timer of more than 2^31 ms fires at once; it is armed again then.
    else if (this.#frozenAt === undefined) waiter.timer = setTimeout(() => this.#arm(waiter), Math.min(leftMs, 60_000))
  }
}
