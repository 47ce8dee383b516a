import { basename } from 'node:path'
import type { Clock, Logger, TryLock } from '@ascribe/kit'
import { createReleaser, listWriters, readJournal, recoverWriter } from '@ascribe/journal'
import type { Position, Releaser } from '@ascribe/journal'
import { ingestBatch, readPosition } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { closeIntent } from './close-intent.ts'
import type { SettlerMeters } from './settler-meters.ts'

/** Entries in one transaction. Larger ones gain little, and hold the event loop longer. */
const BATCH_ENTRIES = 2000
const BATCH_BYTES = 1024 * 1024
/** How long a writer that was found alive is taken to be. */
const ALIVE_MS = 1000

export type DrainDeps = {
  readonly db: Database
  /** Folder of all journals. */
  readonly journal: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: SettlerMeters
}

/** What is known of one writer's journal. */
type Writer = {
  readonly releaser: Releaser
  /** Everything before it is in the ledger. */
  position: Position | undefined
  /** When it was last looked whether its process lives. */
  checkedAt: number
  /** Its process is dead and all of it has been shipped. */
  done: boolean
  /** It is damaged, and its process lives. */
  corrupt: boolean
}

/** Ships journals to the ledger, in order; remembers how far it has come, since it alone drains them. */
export class JournalDrain {
  readonly #deps: DrainDeps
  readonly #writers = new Map<string, Writer>()

  constructor(deps: DrainDeps) {
    this.#deps = deps
  }

  /**
   * Ships everything that is there now. Journals of dead writers are recovered first, so that their open intents become
   * records too. Gives the number of records that were shipped. Whatever fails is tried again by the next call.
   * @throws {DatabaseError} and nothing was acknowledged that is not in the ledger
   */
  async drain(signal?: AbortSignal): Promise<number> {
    let shipped = 0
    const dirs = await listWriters(this.#deps.journal)
    for (const dir of dirs) {
      if (signal?.aborted === true) break
      shipped += await this.#drainWriter(dir, signal)
    }
    for (const dir of this.#writers.keys()) if (!dirs.includes(dir)) this.#writers.delete(dir)
    return shipped
  }

  async #drainWriter(dir: string, signal: AbortSignal | undefined): Promise<number> {
    const name = basename(dir)
    const writer = await this.#known(name, dir)
    if (writer === undefined || writer.done || writer.corrupt) return 0
    // Asked before reading: what a dead writer left is all there, so that reading to the end is reading all of it.
    const isDead = await this.#recoverIfDead(dir, writer)
    let shipped = 0
    try {
      for await (const batch of readJournal(dir, writer.position, { entriesMax: BATCH_ENTRIES, bytesMax: BATCH_BYTES })) {
        shipped += await this.#ship(name, batch)
        writer.position = batch.next
        if (signal?.aborted === true) return shipped
      }
    } catch (error) {
      if (!isCorrupt(error)) throw error
      // Of a live writer: its recovery will set the damage aside. Others must not wait for that.
      this.#deps.logger.error('journal is damaged, it is left alone until its writer has ended', { writer: name, error })
      writer.corrupt = !isDead
      return shipped
    }
    if (writer.position !== undefined && (shipped > 0 || isDead)) await writer.releaser.release(writer.position)
    writer.done = isDead
    return shipped
  }

  async #known(name: string, dir: string): Promise<Writer | undefined> {
    const known = this.#writers.get(dir)
    if (known !== undefined) {
      if (known.corrupt && (await this.#recoverIfDead(dir, known))) known.corrupt = false
      return known
    }
    const position = await readPosition(this.#deps.db, name)
    const releaser = createReleaser(dir, { tryLock: this.#deps.tryLock })
    const writer: Writer = { releaser, position, checkedAt: -ALIVE_MS, done: false, corrupt: false }
    this.#writers.set(dir, writer)
    return writer
  }

  async #recoverIfDead(dir: string, writer: Writer): Promise<boolean> {
    const { clock, tryLock, logger, meters } = this.#deps
    const now = performance.now()
    if (now - writer.checkedAt < ALIVE_MS) return false
    writer.checkedAt = now
    const recovery = await recoverWriter(dir, { tryLock, clock, logger, closeIntent })
    if (recovery.closed > 0) meters.recovered.add(recovery.closed)
    return recovery.outcome === 'recovered'
  }

  async #ship(
    writer: string,
    batch: { entries: readonly { kind: string; eventId: string; payload: string }[]; next: Position },
  ): Promise<number> {
    const records = batch.entries.filter(({ kind }) => kind === 'settlement').map(({ eventId, payload }) => ({ eventId, payload }))
    if (records.length === 0) return 0
    const { meters, logger, db } = this.#deps
    const result = await ingestBatch(db, { writer, position: batch.next, records })
    meters.records.add(result.inserted, { outcome: 'inserted' })
    if (result.duplicates > 0) meters.records.add(result.duplicates, { outcome: 'duplicate' })
    if (result.conflicting > 0) meters.records.add(result.conflicting, { outcome: 'conflicting' })
    if (result.quarantined > 0) {
      meters.records.add(result.quarantined, { outcome: 'quarantined' })
      logger.error('records were quarantined: `ascribe events quarantine` shows them', { writer, count: result.quarantined })
    }
    return records.length
  }
}

function isCorrupt(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'JOURNAL_CORRUPT'
}
