/** Milliseconds of a clock that never jumps. */
export type Monotonic = () => number

const WINDOW_MS = 60_000
/** Of the limit, what may go at once after a rest; the remainder is spread over the minute. */
const BURST_SHARE = 0.1

/**
 * At most `perMinute` takings in any minute, whenever it begins: a tenth at once after a rest, the rest evenly. (A bucket that holds the
 * whole limit would let twice as many through in the minute after a rest.)
 */
export class RateBucket {
  readonly #burst: number
  readonly #perMs: number
  #level: number
  #at: number

  constructor(perMinute: number, now: number) {
    this.#burst = Math.max(1, Math.floor(perMinute * BURST_SHARE))
    this.#perMs = Math.max(1, perMinute - this.#burst) / WINDOW_MS
    this.#level = this.#burst
    this.#at = now
  }

  /** Takes one, also from the future: gives the milliseconds to wait before it may be used, 0 to go on at once. */
  take(now: number): number {
    this.#fill(now)
    this.#level -= 1
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#perMs)
  }

  /** What {@link take} would answer, without taking. */
  waitMs(now: number): number {
    this.#fill(now)
    return this.#level >= 1 ? 0 : Math.ceil((1 - this.#level) / this.#perMs)
  }

  #fill(now: number): void {
    // A clock that stands still or is read out of order adds nothing.
    const passed = Math.max(0, now - this.#at)
    this.#at = Math.max(this.#at, now)
    this.#level = Math.min(this.#burst, this.#level + passed * this.#perMs)
  }
}
