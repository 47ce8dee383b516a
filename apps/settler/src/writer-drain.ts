import { basename } from 'node:path'
import { AssertionError } from '@ascribe/kit'
import type { Clock, Logger, TryLock } from '@ascribe/kit'
import { JournalCorruptError, createReleaser, mayHaveMore, recoverWriter } from '@ascribe/journal'
import type { Position, Releaser } from '@ascribe/journal'
import { ingestBatch, readPosition } from '@ascribe/ledger'
import { DatabaseError } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { closeIntent } from './close-intent.ts'
import { noteIngested } from './note-ingested.ts'
import { isOldFolder } from './old-folder.ts'
import { readBatches } from './read-batches.ts'
import type { DrainBatch } from './read-batches.ts'
import type { SettlerMeters } from './settler-meters.ts'

/** How long a writer that was found alive is taken to be, and how long one that failed is left alone. */
const LOOK_AGAIN_MS = 1000

/** Where a journal begins. */
const FIRST: Position = { segment: 1, offset: 0 }

export type DrainDeps = {
  readonly db: Database
  /** Folder of all journals. */
  readonly journal: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: SettlerMeters
}

export type DrainOptions = {
  /** Stops between two batches. */
  readonly signal?: AbortSignal | undefined
  /** Looks now whether writers live, and tries those that failed, however short ago that was. Default false. */
  readonly thorough?: boolean
  /** A writer's share of one call, in milliseconds; then it is the next one's turn. Default: all there is. */
  readonly turnMs?: number
}

/**
 * Records that were shipped, and whether there are more that could be shipped now: `isBacklog` if those were there before, not just written
 * by a gateway that never pauses.
 */
export type Drained = { readonly shipped: number; readonly more: boolean; readonly isBacklog: boolean }

const NOTHING: Drained = { shipped: 0, more: false, isBacklog: false }

/** Ships one writer's journal to the ledger, in order, for as long as there is something. */
export class WriterDrain {
  readonly #dir: string
  readonly #name: string
  readonly #deps: DrainDeps
  readonly #releaser: Releaser
  /** Whether `#position` has been read from the ledger. */
  #known = false
  /** Everything before it is in the ledger. */
  #position: Position | undefined
  #checkedAt = -Infinity
  /** What recovery did, once its process was found dead: it stays so. Done again only when something was wrong afterwards. */
  #recovery: { missing: number } | undefined
  #failedAt = -Infinity
  /** Its process is dead and all of it has been shipped. */
  #done = false
  #state: 'sound' | 'damaged' | 'failed' = 'sound'

  constructor(dir: string, deps: DrainDeps) {
    this.#dir = dir
    this.#name = basename(dir)
    this.#deps = deps
    this.#releaser = createReleaser(dir, { tryLock: deps.tryLock })
  }

  /** Whether its process is dead and everything that it left is in the ledger. */
  get done(): boolean {
    return this.#done
  }

  /** Whether records of it cannot be shipped: it is damaged and its process lives, or it cannot be read or recovered. */
  get stuck(): boolean {
    return this.#state !== 'sound'
  }

  /** What was wrong when it failed for another reason than damage. */
  fault: unknown

  /**
   * Ships what is there. A dead writer is recovered first, so that its open intents become records too, and removed afterwards.
   * What is wrong with this writer alone is logged and kept in `fault`: others do not wait for it.
   * @throws {DatabaseError} and nothing was acknowledged that is not in the ledger
   */
  async drain(options: DrainOptions): Promise<Drained> {
    const now = performance.now()
    const rests = this.#state === 'failed' && now - this.#failedAt < LOOK_AGAIN_MS && options.thorough !== true
    if (this.#done || rests) return NOTHING
    try {
      return await this.#shipAll(options)
    } catch (error) {
      // About the database or a bug: about all writers.
      if (error instanceof DatabaseError || error instanceof AssertionError) throw error
      this.#recovery = undefined
      this.#failedAt = now
      if (this.#state === 'sound') this.#deps.logger.error('journal cannot be shipped, others are', { writer: this.#name, error })
      this.#state = 'failed'
      this.fault = error instanceof JournalCorruptError ? undefined : error
      return NOTHING
    }
  }

  async #shipAll({ signal, thorough = false, turnMs = Infinity }: DrainOptions): Promise<Drained> {
    // Asked before reading: what a dead writer left is all there, so that reading to the end is reading all of it.
    const recovery = await this.#recoverIfDead(thorough)
    if (this.#state === 'damaged' && recovery === undefined) return NOTHING
    if (!this.#known) {
      this.#position = await readPosition(this.#deps.db, this.#name)
      this.#known = true
    }
    if (recovery === undefined && !(await mayHaveMore(this.#dir, this.#position ?? FIRST))) return NOTHING
    const end = performance.now() + turnMs
    let shipped = 0
    for (;;) {
      try {
        for await (const batch of readBatches(this.#dir, this.#position)) {
          shipped += await this.#ship(batch)
          this.#position = batch.next
          if (signal?.aborted === true || performance.now() >= end) return { shipped, more: true, isBacklog: batch.isFull }
        }
        break
      } catch (error) {
        if (!(error instanceof JournalCorruptError)) throw error
        if (recovery === undefined) return this.#leaveAlone(error, shipped)
        // Recovery has set all other damage aside: what is left are segments that somebody took away. It has said so.
        if (recovery.missing === 0 || error.offset !== 0) throw error
        recovery.missing -= 1
        this.#position = { segment: error.segment + 1, offset: 0 }
      }
    }
    await this.#release({ shipped, isDead: recovery !== undefined })
    this.#done = recovery !== undefined
    this.#state = 'sound'
    this.fault = undefined
    return { shipped, more: false, isBacklog: false }
  }

  /** Of a live writer: its recovery will set the damage aside. */
  #leaveAlone(error: JournalCorruptError, shipped: number): Drained {
    this.#deps.logger.error('journal is damaged, it is left alone until its writer has ended', { writer: this.#name, error })
    this.#state = 'damaged'
    return { shipped, more: false, isBacklog: false }
  }

  async #release({ shipped, isDead }: { readonly shipped: number; readonly isDead: boolean }): Promise<void> {
    const position = this.#position ?? (isDead && (await isOldFolder(this.#dir)) ? { segment: 1, offset: 0 } : undefined)
    if (position !== undefined && (shipped > 0 || isDead)) await this.#releaser.release(position)
  }

  /**
   * Gives what recovery did, or `undefined` while the writer lives or is taken to. Recovery reads the whole journal, so a backlog that takes
   * many turns must not pay for it in each.
   */
  async #recoverIfDead(thorough: boolean): Promise<{ missing: number } | undefined> {
    if (this.#recovery !== undefined) return this.#recovery
    const { clock, tryLock, logger, meters } = this.#deps
    const now = performance.now()
    if (now - this.#checkedAt < LOOK_AGAIN_MS && !thorough) return undefined
    this.#checkedAt = now
    const recovery = await recoverWriter(this.#dir, { tryLock, clock, logger, closeIntent })
    if (recovery.closed > 0) meters.recovered.add(recovery.closed)
    if (recovery.outcome === 'recovered') this.#recovery = { missing: recovery.missing }
    return this.#recovery
  }

  async #ship({ records, next }: DrainBatch): Promise<number> {
    if (records.length === 0) return 0
    const { meters, logger, db } = this.#deps
    const result = await ingestBatch(db, { writer: this.#name, position: next, records })
    noteIngested(result, { writer: this.#name, meters, logger })
    return records.length
  }
}
