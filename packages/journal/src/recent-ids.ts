/** How many event ids one generation of {@link RecentIds} holds: some 5 MiB of memory for two. */
const GENERATION = 32_768

/** Remembers at least the last 32,768 ids that were added. Bounded, so that it catches a repeated id soon after and not for ever. */
export class RecentIds {
  #young = new Set<string>()
  #old = new Set<string>()

  add(id: string): void {
    if (this.#young.size === GENERATION) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(id)
  }

  has(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id)
  }
}
