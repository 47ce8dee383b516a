type Planned = { readonly due: number; readonly run: () => void }

/**
 * What will happen, and when. Nothing here waits: whoever looks at the world first lets everything happen that is due by
 * then, in order, each at its own instant. So no test sleeps, and a bill is exact to the millisecond.
 */
export class Schedule {
  /** The next thing first; what was planned earlier goes first among those that are due together. */
  readonly #planned: Planned[] = []
  /** The instant of what is just happening. */
  #at: number | undefined
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** The instant that counts: of the planned thing that is happening, else of the clock. */
  now(): number {
    return this.#at ?? this.#now()
  }

  after(ms: number, run: () => void): void {
    const due = this.now() + ms
    let [low, high] = [0, this.#planned.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#planned[middle]?.due ?? 0) <= due) low = middle + 1
      else high = middle
    }
    this.#planned.splice(low, 0, { due, run })
  }

  /** Lets everything happen that is due; what it plans in turn happens too, if it is due. */
  settle(): void {
    // Something that is happening may look at the world, too; it is not to start what follows it.
    if (this.#at !== undefined) return
    const until = this.#now()
    try {
      for (let next = this.#planned[0]; next !== undefined && next.due <= until; next = this.#planned[0]) {
        this.#planned.shift()
        this.#at = next.due
        next.run()
      }
    } finally {
      this.#at = undefined
    }
  }
}
