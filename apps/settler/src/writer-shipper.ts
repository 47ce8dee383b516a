import { basename } from 'node:path'
import { AssertionError } from '@ascribe/kit'
import type { Clock, Logger, TryLock } from '@ascribe/kit'
import { JournalCorruptError, createReleaser, mayHaveMore, readJournal, recoverWriter } from '@ascribe/journal'
import type { JournalBatch, Position, Recovery, Releaser } from '@ascribe/journal'
import { TransportStreamError, TransportUnavailableError } from '@ascribe/transport'
import type { BatchSender, JournalSlice, Stored } from '@ascribe/transport'
import { closeIntent } from './close-intent.ts'
import { isOldFolder } from './old-folder.ts'
import type { ShipperMeters } from './shipper-meters.ts'

/** Of one message, intents included: half of the broker's default bound of 1 MiB, and well below it with the largest record in it. */
const SLICE_ENTRIES = 1000
const SLICE_BYTES = 384 * 1024
/** Messages sent before the first of them is acknowledged: enough to keep a broker busy whose disk takes milliseconds. */
const PIPELINE = 8
/**
 * Messages of a writer that the broker holds and the ledger has not committed. Beyond it waits in the journal, where it costs nothing,
 * and goes in larger messages later: so a day without settlers does not fill the broker with small ones.
 */
const UNCOMMITTED_MAX = 2000
/** When nothing was committed for so long, the broker is asked whether it still has the oldest message. */
const STALL_MS = 3000
const LOOK_AGAIN_MS = 1000
/** Where a journal begins. */
const FIRST: Position = { segment: 1, offset: 0 }

export type ShipperDeps = {
  readonly sender: BatchSender
  /** Folder of all journals. */
  readonly journal: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: ShipperMeters
}

/** What the broker holds of this writer: the ledger has not said yet that it has it. */
type Sent = { readonly to: Position; readonly stored: Stored }

/** Sends one writer's journal to the broker, and frees what the ledger has. */
export class WriterShipper {
  readonly name: string
  readonly #dir: string
  readonly #deps: ShipperDeps
  readonly #releaser: Releaser
  /** In order. */
  #sent: Sent[] = []
  /** The end of the last slice that was stored, where the next begins. */
  #sentTo: Position = FIRST
  /** Where reading goes on: at `#sentTo` or behind it, over intents alone; while `#isSending`, over what is not stored yet. */
  #readAt: Position | undefined
  /** What was read may not be stored: nothing that is gone from memory then may be gone from the disk. */
  #isSending = false
  #committed: Position | undefined
  #releasedTo: Position | undefined
  #attempt = 0
  #progressAt = performance.now()
  #checkedAt = -Infinity
  #recovery: Recovery | undefined
  #state: 'sound' | 'damaged' | 'failed' = 'sound'
  #failedAt = -Infinity

  constructor(dir: string, deps: ShipperDeps) {
    this.#dir = dir
    this.name = basename(dir)
    this.#deps = deps
    this.#releaser = createReleaser(dir, { tryLock: deps.tryLock })
  }

  get stuck(): boolean {
    return this.#state !== 'sound'
  }

  /** Messages that the broker holds. */
  get uncommitted(): number {
    return this.#sent.length
  }

  /** Whether the ledger's word on it is worth asking for. */
  get isOpen(): boolean {
    return this.#sent.length > 0 || this.#committed === undefined || this.#recovery !== undefined
  }

  /**
   * Sends what is there, as far as the bound on uncommitted messages allows; gives the number of records, and whether there is more. What is
   * wrong with this journal alone is logged: others do not wait for it.
   * @throws {TransportUnavailableError | TransportStreamError} about the broker, hence about everybody; it is sent again by the next call
   */
  async ship({ signal, thorough = false }: { readonly signal?: AbortSignal; readonly thorough?: boolean }): Promise<{
    readonly shipped: number
    readonly more: boolean
  }> {
    const now = performance.now()
    if (this.#state === 'failed' && now - this.#failedAt < LOOK_AGAIN_MS && !thorough) return { shipped: 0, more: false }
    try {
      await this.#recoverIfDead(thorough)
      if (this.#state === 'damaged' && this.#recovery === undefined) return { shipped: 0, more: false }
      if (this.#recovery === undefined && !(await mayHaveMore(this.#dir, this.#readAt ?? FIRST))) return { shipped: 0, more: false }
      this.#isSending = true
      const result = await this.#sendAll(signal)
      this.#state = 'sound'
      return result
    } catch (error) {
      if (error instanceof TransportUnavailableError || error instanceof TransportStreamError || error instanceof AssertionError)
        throw error
      this.#note(error)
      return { shipped: 0, more: false }
    } finally {
      this.#isSending = false
    }
  }

  #note(error: unknown): void {
    const isDamage = error instanceof JournalCorruptError && this.#recovery === undefined
    if (this.#state === 'sound') {
      const what = isDamage ? 'journal is damaged, it is left alone until its writer has ended' : 'journal cannot be shipped, others are'
      this.#deps.logger.error(what, { writer: this.name, error })
    }
    this.#state = isDamage ? 'damaged' : 'failed'
    this.#failedAt = performance.now()
  }

  async #sendAll(signal: AbortSignal | undefined): Promise<{ readonly shipped: number; readonly more: boolean }> {
    if (this.#sent.length >= UNCOMMITTED_MAX) return { shipped: 0, more: false }
    const attempt = this.#attempt
    let shipped = 0
    let pending: JournalSlice[] = []
    let gaps = this.#recovery?.missing ?? 0
    let from = this.#sentTo
    for (;;) {
      try {
        for await (const batch of readJournal(this.#dir, this.#readAt, { entriesMax: SLICE_ENTRIES, bytesMax: SLICE_BYTES })) {
          // What we began with is to be sent again, while we waited.
          if (this.#attempt !== attempt) return { shipped, more: true }
          const slice = this.#sliceOf(batch, from)
          this.#readAt = batch.next
          if (slice.entries.length > 0) {
            pending.push(slice)
            from = slice.to
          }
          if (pending.length < PIPELINE) continue
          shipped += await this.#send(pending)
          pending = []
          if (signal?.aborted === true || this.#sent.length >= UNCOMMITTED_MAX) return { shipped, more: true }
        }
        break
      } catch (error) {
        if (!(error instanceof JournalCorruptError)) {
          // What was read before is sent first, or it would be passed over.
          await this.#send(pending)
          throw error
        }
        // Segments that somebody took away from a dead journal; recovery has said so.
        if (this.#recovery === undefined || gaps === 0 || error.offset !== 0) {
          await this.#send(pending)
          throw error
        }
        gaps -= 1
        this.#readAt = { segment: error.segment + 1, offset: 0 }
      }
    }
    shipped += await this.#send(pending)
    return { shipped, more: false }
  }

  #sliceOf(batch: JournalBatch, from: Position): JournalSlice {
    const entries = batch.entries.flatMap(({ kind, eventId, payload }) => (kind === 'settlement' ? [{ eventId, payload }] : []))
    return { writer: this.name, from, to: batch.next, entries }
  }

  /** Sends slices together; of those that were stored, the ones before the first failure count as sent. */
  async #send(slices: readonly JournalSlice[]): Promise<number> {
    if (slices.length === 0) return 0
    if (this.#sent.length === 0) this.#progressAt = performance.now()
    const attempt = this.#attempt
    const outcomes = await Promise.allSettled(slices.map((slice) => this.#deps.sender.send(slice, { attempt })))
    if (this.#attempt !== attempt) return 0
    let records = 0
    for (const [index, outcome] of outcomes.entries()) {
      const slice = slices[index]
      if (slice === undefined) break
      if (outcome.status === 'rejected') {
        this.#readAt = this.#sentTo
        throw outcome.reason
      }
      this.#sent.push({ to: slice.to, stored: outcome.value })
      this.#sentTo = slice.to
      records += slice.entries.length
    }
    this.#deps.meters.records.add(records)
    return records
  }

  /** The ledger's word on how far it is; `undefined`: it has nothing. */
  committedIs(position: Position | undefined): void {
    const reached = position ?? FIRST
    const before = this.#committed
    this.#committed = reached
    if (before !== undefined && compare(reached, before) < 0) {
      this.#deps.logger.warn('ledger is behind what it was, records are sent again', { writer: this.name })
      return this.#sendAgain()
    }
    if (before === undefined || compare(reached, before) > 0) this.#progressAt = performance.now()
    this.#sent = this.#sent.filter(({ to }) => compare(to, reached) > 0)
    if (compare(reached, this.#sentTo) > 0) {
      // It had more than we knew: from an earlier life of ours.
      this.#sentTo = reached
      if (this.#readAt === undefined || compare(reached, this.#readAt) > 0) this.#readAt = reached
    }
  }

  /**
   * Frees the segments that the ledger has, and the folder of a dead writer with the last of them; gives whether that is done. Sends again
   * what the broker has lost. @throws {TransportUnavailableError}
   */
  async tidy(): Promise<'open' | 'done'> {
    await this.#sendLostAgain()
    const committed = this.#committed
    if (committed === undefined) return 'open'
    if (this.#recovery !== undefined && this.#readAt === undefined && (await isOldFolder(this.#dir))) this.#readAt = FIRST
    const isDone = this.#recovery !== undefined && this.#isAllCommitted && this.#state === 'sound' && (await this.#isReadToItsEnd())
    const end = isDone ? (this.#readAt ?? committed) : committed
    if (isDone || this.#releasedTo === undefined || compare(end, this.#releasedTo) > 0) {
      const { removed } = await this.#releaser.release(end)
      this.#releasedTo = end
      if (removed) return 'done'
    }
    return 'open'
  }

  /** All that was read, that is. */
  get #isAllCommitted(): boolean {
    return !this.#isSending && this.#sent.length === 0
  }

  async #isReadToItsEnd(): Promise<boolean> {
    if (this.#readAt === undefined || (await mayHaveMore(this.#dir, this.#readAt))) return false
    // Asked again: sending may have begun meanwhile.
    return this.#isAllCommitted
  }

  async #sendLostAgain(): Promise<void> {
    const [oldest] = this.#sent
    if (oldest === undefined || performance.now() - this.#progressAt < STALL_MS) return
    if (await this.#deps.sender.holds(oldest.stored)) {
      this.#progressAt = performance.now()
      return
    }
    // Acknowledged, hence committed, since we were told? Then the next answer says so; one look more.
    if (this.#suspect !== oldest.stored.messageId) {
      this.#suspect = oldest.stored.messageId
      return
    }
    this.#deps.logger.warn('broker has lost messages, records are sent again from the journal', {
      writer: this.name,
      messages: this.#sent.length,
    })
    this.#deps.meters.resent.add(this.#sent.length)
    this.#sendAgain()
  }

  #suspect: string | undefined

  #sendAgain(): void {
    this.#sent = []
    this.#attempt += 1
    this.#sentTo = this.#committed ?? FIRST
    this.#readAt = this.#committed
    this.#progressAt = performance.now()
  }

  async #recoverIfDead(thorough: boolean): Promise<void> {
    const { clock, tryLock, logger, meters } = this.#deps
    const now = performance.now()
    if (this.#recovery !== undefined || (now - this.#checkedAt < LOOK_AGAIN_MS && !thorough)) return
    this.#checkedAt = now
    const recovery = await recoverWriter(this.#dir, { tryLock, clock, logger, closeIntent })
    if (recovery.closed > 0) meters.recovered.add(recovery.closed)
    if (recovery.outcome === 'recovered') this.#recovery = recovery
  }
}

function compare(a: Position, b: Position): number {
  return a.segment - b.segment || a.offset - b.offset
}
