import { basename } from 'node:path'
import { listWriters } from '@ascribe/journal'
import { WriterDrain } from './writer-drain.ts'
import type { DrainDeps, DrainOptions, Drained } from './writer-drain.ts'

/** Ships all journals to the ledger; remembers how far it has come, since it alone drains them. */
export class JournalDrain {
  readonly #deps: DrainDeps
  readonly #writers = new Map<string, WriterDrain>()

  constructor(deps: DrainDeps) {
    this.#deps = deps
  }

  /**
   * Ships what is there now, each writer's records in order. Whatever fails is tried again by the next call.
   * @throws {DatabaseError} and nothing was acknowledged that is not in the ledger
   */
  async drain(options: DrainOptions): Promise<Drained> {
    let [shipped, more, isBacklog] = [0, false, false]
    const dirs = await listWriters(this.#deps.journal)
    for (const dir of dirs) {
      if (options.signal?.aborted === true) return { shipped, more: true, isBacklog }
      const drained = await this.#writerOf(dir).drain(options)
      shipped += drained.shipped
      more ||= drained.more
      isBacklog ||= drained.isBacklog
    }
    const present = new Set(dirs)
    for (const dir of this.#writers.keys()) if (!present.has(dir)) this.#writers.delete(dir)
    this.#deps.meters.stuck.set([...this.#writers.values()].filter(({ stuck }) => stuck).length)
    return { shipped, more, isBacklog }
  }

  /** Writers that are dead, and of whom everything is in the ledger. */
  get ended(): readonly string[] {
    return [...this.#writers].filter(([, { done }]) => done).map(([dir]) => basename(dir))
  }

  /** What kept a writer from being shipped, for another reason than damage. */
  get fault(): unknown {
    return this.#writers.values().find(({ fault }) => fault !== undefined)?.fault
  }

  #writerOf(dir: string): WriterDrain {
    const known = this.#writers.get(dir)
    if (known !== undefined) return known
    const writer = new WriterDrain(dir, this.#deps)
    this.#writers.set(dir, writer)
    return writer
  }
}
