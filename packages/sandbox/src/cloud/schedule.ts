type Planned = { readonly due: number; readonly order: number; readonly run: () => void }

/**
 * What will happen, and when. Nothing here waits: whoever looks at the world first lets everything happen that is due by
 * then, in order, each at its own instant. So no test sleeps, and a bill is exact to the millisecond.
 */
export class Schedule {
  #planned: Planned[] = []
  #order = 0
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
    this.#planned.push({ due: this.now() + ms, order: this.#order++, run })
  }

  /** Lets everything happen that is due; what it plans in turn happens too, if it is due. */
  settle(): void {
    const until = this.#now()
    try {
      for (let next = this.#take(until); next !== undefined; next = this.#take(until)) {
        this.#at = next.due
        next.run()
      }
    } finally {
      this.#at = undefined
    }
  }

  #take(until: number): Planned | undefined {
    let first: Planned | undefined
    for (const each of this.#planned) {
      if (each.due > until) continue
      if (first === undefined || each.due < first.due || (each.due === first.due && each.order < first.order)) first = each
    }
    if (first !== undefined) this.#planned = this.#planned.filter((each) => each !== first)
    return first
  }
}
