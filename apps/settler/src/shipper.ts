import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Clock, Logger, Meters, TryLock } from '@ascribe/kit'
import { listWriters } from '@ascribe/journal'
import { askPositions, createBatchSender } from '@ascribe/transport'
import type { Nats } from '@ascribe/transport'
import { backOff, pause } from './pause.ts'
import { createShipperMeters } from './shipper-meters.ts'
import { WriterShipper } from './writer-shipper.ts'
import type { ShipperDeps as WriterDeps } from './writer-shipper.ts'

const IDLE_MS = 100
/** Between two questions for the ledger's positions, while something is not committed. */
const ASK_MS = 500
/** What a start waits for the ledger's word before it sends from the beginning of what the disk holds; that is stored once either way. */
const FIRST_WORD_MS = 10_000
/** What cannot be sent and committed in this time at the end stays in the journals for the next start. */
const LAST_PASS_MS = 8000

export type ShipperDeps = {
  readonly nats: Nats
  /** Folder of all journals of this machine. */
  readonly journal: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: Meters
}

export type Shipper = {
  /** Goes on for as long as `signal` lasts; waits out every error. Then one last pass of some seconds. */
  run(signal: AbortSignal): Promise<void>
  /** The error that it is waiting out, if any. */
  readonly trouble: string | undefined
}

/**
 * Sends the journals of this machine to the broker, those of dead processes as well, and frees them when the ledger has them. One at a time:
 * the caller holds the lock. It serves nobody: whatever it meets, the gateway goes on.
 */
export function createShipper(deps: ShipperDeps): Shipper {
  return new JournalShipper(deps)
}

class JournalShipper implements Shipper {
  readonly #deps: ShipperDeps
  readonly #writerDeps: WriterDeps
  readonly #writers = new Map<string, WriterShipper>()
  #trouble: string | undefined
  #hasWord = false

  constructor(deps: ShipperDeps) {
    this.#deps = deps
    this.#writerDeps = { ...deps, sender: createBatchSender(deps.nats), meters: createShipperMeters(deps.meters) }
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  async run(signal: AbortSignal): Promise<void> {
    const broken = new AbortController()
    const either = AbortSignal.any([signal, broken.signal])
    const parts = [this.#shipOn(either), this.#tidyOn(either)]
    for (const part of parts) part.catch(() => broken.abort())
    for (const ended of await Promise.allSettled(parts)) if (ended.status === 'rejected') throw ended.reason
    await this.#lastPass()
  }

  async #shipOn(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now()
    await this.#look()
    while (!this.#hasWord && this.#writers.size > 0 && performance.now() - startedAt < FIRST_WORD_MS && !signal.aborted) {
      await pause(IDLE_MS, signal)
    }
    let failures = 0
    while (!signal.aborted) {
      try {
        const more = await this.#ship({ signal })
        if (failures > 0) this.#deps.logger.info('shipper goes on', { afterFailures: failures })
        failures = 0
        this.#trouble = undefined
        await pause(more ? 0 : IDLE_MS, signal)
      } catch (error) {
        if (error instanceof AssertionError) throw error
        this.#trouble = toAscribeError(error).message
        this.#writerDeps.meters.failures.add()
        if (failures === 0) this.#deps.logger.error('shipper waits: nothing is lost, journals keep what is not yet committed', { error })
        await backOff(failures, signal)
        failures += 1
      }
    }
  }

  /** Sends what there is; gives whether there is more that can be sent now. */
  async #ship(options: { readonly signal?: AbortSignal; readonly thorough?: boolean }): Promise<boolean> {
    await this.#look()
    let more = false
    for (const writer of this.#writers.values()) {
      if (options.signal?.aborted === true) return true
      const { shipped, more: isMore } = await writer.ship(options)
      more ||= isMore && shipped > 0
    }
    const { uncommitted, stuck } = this.#writerDeps.meters
    uncommitted.set(this.#uncommitted)
    stuck.set([...this.#writers.values()].filter((writer) => writer.stuck).length)
    return more
  }

  get #uncommitted(): number {
    return [...this.#writers.values()].reduce((sum, writer) => sum + writer.uncommitted, 0)
  }

  async #look(): Promise<void> {
    const dirs = await listWriters(this.#deps.journal)
    const present = new Set(dirs)
    for (const dir of this.#writers.keys()) if (!present.has(dir)) this.#writers.delete(dir)
    for (const dir of dirs) if (!this.#writers.has(dir)) this.#writers.set(dir, new WriterShipper(dir, this.#writerDeps))
  }

  async #tidyOn(signal: AbortSignal): Promise<void> {
    let failing = false
    while (!signal.aborted) {
      try {
        await this.#tidy()
        failing = false
      } catch (error) {
        if (error instanceof AssertionError) throw error
        if (!failing) this.#deps.logger.warn('journals are not freed now: the ledger does not say how far it is', { error })
        failing = true
      }
      await pause(ASK_MS, signal)
    }
  }

  async #tidy(): Promise<void> {
    const open = [...this.#writers.values()].filter((writer) => writer.isOpen)
    if (open.length === 0) return
    const positions = await askPositions(
      this.#deps.nats,
      open.map(({ name }) => name),
    )
    this.#hasWord = true
    for (const writer of open) writer.committedIs(positions.get(writer.name))
    for (const writer of open) await writer.tidy()
  }

  /** The gateway has ended: all of its journal is there. */
  async #lastPass(): Promise<void> {
    const end = performance.now() + LAST_PASS_MS
    try {
      while (performance.now() < end) {
        const more = await this.#ship({ thorough: true })
        await this.#tidy()
        if (!more && this.#uncommitted === 0) return
        await pause(IDLE_MS, AbortSignal.timeout(LAST_PASS_MS))
      }
    } catch (error) {
      this.#deps.logger.warn('last pass failed, the next start goes on from the journals', { error })
    }
  }
}
