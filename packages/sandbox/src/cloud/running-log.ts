import type { Server } from './entities.ts'

/** A time in which a machine was paid for, `[start, end)` in epoch milliseconds: what a meter of ours must have seen. */
export type RunningInterval = {
  readonly server: string
  readonly name: string
  /** Uuid of who paid. */
  readonly owner: string
  readonly region: string
  /** MHz of the whole machine. */
  readonly cpu: number
  /** Bytes. */
  readonly mem: number
  readonly start: number
  /** null while it runs. */
  end: number | null
}

const INTERVALS_MAX = 200_000

/** Every time that any machine ran, deleted ones too, in the order they began. */
export class RunningLog {
  readonly #intervals: RunningInterval[] = []
  readonly #open = new Map<string, RunningInterval>()

  /** The machine is paid for from now on, by its owner. */
  begin(server: Server, { region, at }: { region: string; at: number }): void {
    const { uuid, name, cpu, mem, owner } = server
    const interval: RunningInterval = { server: uuid, name, owner: owner ?? '', region, cpu, mem, start: at, end: null }
    this.#intervals.push(interval)
    this.#open.set(uuid, interval)
    if (this.#intervals.length > INTERVALS_MAX) this.#intervals.splice(0, INTERVALS_MAX / 10)
  }

  end(server: Server, at: number): void {
    const interval = this.#open.get(server.uuid)
    if (interval !== undefined) interval.end = at
    this.#open.delete(server.uuid)
  }

  /** All of them, or one owner's. */
  list(owner?: string): readonly RunningInterval[] {
    return this.#intervals.filter((each) => owner === undefined || each.owner === owner).map((each) => ({ ...each }))
  }
}
