/**
 * So much a minute: starts full, fills evenly, holds a minute's worth. Times are milliseconds of any clock that does not go back.
 * Numbers are plain: a limit of a rate is no money, and a rounding of 10^-15 of it does not matter.
 */
export class TokenBucket {
  #perMinute: number
  #level: number
  #at: number
  /** Until when those that were told to come back have been promised what flows in. */
  #promised = 0

  constructor(perMinute: number, now: number) {
    this.#perMinute = perMinute
    this.#level = capacityOf(perMinute)
    this.#at = now
  }

  /** Most that it holds, and what one request can take at once: at least 1, or a small share of a small limit would let nothing through. */
  get capacity(): number {
    return capacityOf(this.#perMinute)
  }

  /** Changes the rate; what is in it scales, so that nobody gains a burst by it. */
  setRate(perMinute: number, now: number): void {
    if (perMinute === this.#perMinute) return
    const fullness = this.level(now) / this.capacity
    this.#perMinute = perMinute
    this.#level = Math.min(1, fullness) * this.capacity
    this.#promised = 0
  }

  /** What is in it; below 0 when corrections took more than there was. */
  level(now: number): number {
    const passedMs = Math.max(0, now - this.#at)
    this.#level = Math.min(this.capacity, this.#level + (passedMs * this.#perMinute) / MINUTE_MS)
    this.#at = Math.max(now, this.#at)
    return this.#level
  }

  /** Milliseconds until it holds `amount` (at most all it can hold); 0: now. */
  waitMs(amount: number, now: number): number {
    return this.#untilMs(Math.min(amount, this.capacity), now)
  }

  /**
   * Milliseconds after which to come back for `amount`: behind those that were told so before, so that a crowd does not come back all at
   * once to one free place. A promise binds nobody: who comes earlier and finds enough is let through.
   */
  promiseMs(amount: number, now: number): number {
    const wanted = Math.min(amount, this.capacity)
    const start = Math.max(now + this.waitMs(wanted, now), Math.min(this.#promised, now + MINUTE_MS))
    this.#promised = start + (wanted * MINUTE_MS) / this.#perMinute
    return start - now
  }

  /** Milliseconds until it is full. */
  fullMs(now: number): number {
    return this.#untilMs(this.capacity, now)
  }

  /** Takes `amount`, or with a negative one gives back; may go below 0. */
  take(amount: number, now: number): void {
    this.#level = Math.min(this.capacity, this.level(now) - amount)
  }

  #untilMs(level: number, now: number): number {
    const missing = level - this.level(now)
    // What rounding leaves is no reason to wait.
    return missing <= 1e-9 * this.capacity ? 0 : (missing * MINUTE_MS) / this.#perMinute
  }
}

const MINUTE_MS = 60_000

function capacityOf(perMinute: number): number {
  return Math.max(1, perMinute)
}
