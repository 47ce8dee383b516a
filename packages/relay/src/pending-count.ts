/** Counts what is under way and tells when nothing is. */
export class PendingCount {
  #count = 0
  #waiters: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  add(): void {
    this.#count += 1
  }

  remove(): void {
    this.#count -= 1
    if (this.#count > 0 || this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  /** Resolves as soon as the count is zero. */
  async none(): Promise<void> {
    while (this.#count > 0) {
      // oxlint-disable-next-line no-await-in-loop -- the count may have risen again by the time this runs
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }
}
