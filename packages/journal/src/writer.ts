import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AssertionError, assert, type Logger, silentMeters, type TryLock } from '@ascribe/kit'
import { createIdSource } from '@ascribe/units'
import { BATCH_BYTES } from './batch-queue.ts'
import { JournalClosedError, JournalFailedError, JournalFullError, JournalTakenError } from './errors.ts'
import { FRAME_BYTES, type Text, textBytes, textBytesMax } from './frame.ts'
import { realFs } from './fs.ts'
import { isWriterName, listWriterFiles, LOCK_FILE } from './layout.ts'
import { Intent, type IntentOwner, type OpenIntent, OpenIntents } from './open-intent.ts'
import { RecentIds } from './recent-ids.ts'
import { SegmentLog } from './segment-log.ts'
import { type JournalState, type JournalStats, WriterTally } from './stats.ts'
import type { JournalWriter, JournalWriterOptions } from './writer-types.ts'

const MIB = 1 << 20
const LOCK_ATTEMPTS = 25
const LOCK_RETRY_MS = 20

/**
 * Opens a new journal for this process. The first segment is on the disk when it resolves.
 *
 * @throws {JournalTakenError} when the folder is another writer's. {JournalFullError} when there is no space for one segment.
 */
export async function openJournalWriter(options: JournalWriterOptions): Promise<JournalWriter> {
  const writer = options.writer ?? createIdSource(options.clock)()
  assert(isWriterName(writer), `a writer's name is 1 to 100 letters, digits, dots, dashes and underscores, not ${JSON.stringify(writer)}`)
  const dir = join(options.root, writer)
  await mkdir(dir, { recursive: true, mode: 0o750 })
  const lock = await takeLock(dir, options.tryLock)
  try {
    const files = await listWriterFiles(dir)
    if (files.segments.length > 0 || files.corrupt.length > 0 || files.hasReleased) {
      throw new JournalTakenError(`Cannot open a journal writer in ${dir}: it holds an earlier writer's journal; take a new name`)
    }
    await (options.fs ?? realFs).syncFolder(options.root)
    const opened = new Writer({ ...options, writer, dir, lock })
    await opened.start()
    return opened
  } catch (cause) {
    lock[Symbol.dispose]()
    throw cause
  }
}

async function takeLock(dir: string, tryLock: TryLock): Promise<Disposable> {
  // Whoever asks whether this writer is dead holds its lock for an instant; that must not keep it from starting.
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt += 1) {
    const lock = tryLock(join(dir, LOCK_FILE))
    if (lock !== undefined) return lock
    await delay(LOCK_RETRY_MS)
  }
  throw new JournalTakenError(`Cannot open a journal writer in ${dir}: another process holds its lock`)
}

class Writer implements JournalWriter, IntentOwner {
  readonly writer: string
  readonly dir: string
  readonly #logger: Logger
  readonly #intentBytesMax: number
  readonly #settlementBytesMax: number
  readonly #openMax: number
  readonly #ack: 'durable' | 'written'
  readonly #lock: Disposable
  readonly #log: SegmentLog
  readonly #tally: WriterTally
  /** Open intents, those that wait for space included. */
  readonly #open = new OpenIntents()
  readonly #recent = new RecentIds(() => this.#open.placedIds())
  /** Open intents that came by {@link intend}. */
  readonly #named = new Map<string, Intent>()
  /** Sum of what admitted open intents hold. */
  #reserved = 0
  #state: JournalState = 'open'
  #closing: Promise<void> | undefined

  constructor(options: JournalWriterOptions & { readonly writer: string; readonly dir: string; readonly lock: Disposable }) {
    this.writer = options.writer
    this.dir = options.dir
    this.#lock = options.lock
    this.#logger = options.logger
    this.#intentBytesMax = options.intentBytesMax ?? 64 * 1024
    this.#settlementBytesMax = options.settlementBytesMax ?? 4 * 1024
    this.#openMax = options.openMax ?? 65_536
    this.#ack = options.ack ?? 'durable'
    this.#tally = new WriterTally(options.meters ?? silentMeters)
    const segmentBytes = options.segmentBytes ?? 16 * MIB
    this.#log = new SegmentLog({
      dir: this.dir,
      writer: this.writer,
      fs: options.fs ?? realFs,
      clock: options.clock,
      logger: options.logger,
      segmentBytes,
      retainedBytesMax: options.retainedBytesMax ?? 8 * 1024 * MIB,
      retryMs: options.retryMs ?? 1000,
      commitIntervalMs: options.commitIntervalMs ?? 1,
      onWritten: (batch) => this.#tally.wrote(batch, this.#open.size),
      onCommit: (seconds) => this.#tally.committed(seconds),
      onFault: (operation, cause) => this.#fail(operation, cause),
    })
    assert(this.#frameBytesMax <= BATCH_BYTES, `intentBytesMax and settlementBytesMax together are at most ${BATCH_BYTES - FRAME_BYTES}`)
    assert(
      2 * this.#frameBytesMax <= this.#log.supply.capacity,
      `a segment of ${segmentBytes} bytes is too small for two of the largest frames`,
    )
  }

  get state(): JournalState {
    return this.#state
  }

  get stats(): JournalStats {
    const { intents, settlements, bytes, writes, commits, refused, commitSeconds } = this.#tally
    return {
      state: this.#state,
      intents,
      settlements,
      bytes,
      writes,
      commits,
      refused,
      commitSeconds: [...commitSeconds],
      openIntents: this.#open.size,
      segment: this.#log.sequence,
      retainedBytes: this.#log.supply.retainedBytes,
    }
  }

  start(): Promise<void> {
    return this.#log.start()
  }

  admit(eventId: string, payload: Text): OpenIntent {
    const payloadBytes = textBytes(payload)
    const settlementBound = payloadBytes + this.#settlementBytesMax
    const intent = new Intent(this, eventId, { reserve: FRAME_BYTES + settlementBound, settlementBound })
    const fault = this.#fault() ?? this.#intentFault(eventId, payloadBytes)
    if (fault !== undefined) {
      intent.state = 'gone'
      intent.written = Promise.reject(fault)
      return intent
    }
    this.#open.add(intent)
    intent.written = this.#fits(payloadBytes) ? this.#place(intent, payload) : this.#placeLater(intent, payload, payloadBytes)
    return intent
  }

  settleIntent(intent: Intent, payload: Text): Promise<void> {
    const refusal = this.#fault()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (!intent.isPlaced) return Promise.reject(new AssertionError(`settle() of ${intent.eventId}, which is no open intent`))
    // Counting the bytes takes longer than writing them, and is rarely needed.
    const bytesMax = textBytesMax(payload)
    const payloadBytes = bytesMax <= intent.settlementBound && FRAME_BYTES + bytesMax <= this.#log.left ? bytesMax : textBytes(payload)
    if (payloadBytes > intent.settlementBound) {
      return Promise.reject(
        new AssertionError(`a settlement of ${payloadBytes} bytes, ${intent.settlementBound} are reserved for ${intent.eventId}`),
      )
    }
    const batch = this.#log.append({ kind: 'settlement', eventId: intent.eventId, payload }, payloadBytes)
    intent.state = 'gone'
    this.#open.remove(intent)
    if (intent.isNamed) this.#named.delete(intent.eventId)
    this.#reserved -= intent.reserve
    batch.settlements += 1
    if (this.#ack === 'written') return (batch.written ??= Promise.withResolvers<void>()).promise
    return (batch.durable ??= Promise.withResolvers<void>()).promise
  }

  intend(eventId: string, payload: string): Promise<void> {
    const intent = this.admit(eventId, payload) as Intent
    if (intent.state !== 'gone') {
      intent.isNamed = true
      this.#named.set(eventId, intent)
    }
    return intent.written
  }

  settle(eventId: string, payload: string): Promise<void> {
    const refusal = this.#fault()
    if (refusal !== undefined) return Promise.reject(refusal)
    const intent = this.#named.get(eventId)
    if (intent === undefined) return Promise.reject(new AssertionError(`settle() of ${eventId}, which is no open intent`))
    return intent.settle(payload)
  }

  sync(): Promise<void> {
    const fault = this.#fault()
    return fault === undefined ? this.#log.sync() : Promise.reject(fault)
  }

  settlementBound(eventId: string): number {
    const intent = this.#named.get(eventId)
    assert(intent !== undefined, `settlementBound() of ${eventId}, which is no open intent`)
    return intent.settlementBound
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Bytes of the largest frame that this writer can be asked to write. */
  get #frameBytesMax(): number {
    return FRAME_BYTES + this.#intentBytesMax + this.#settlementBytesMax
  }

  #fault(): Error | undefined {
    if (this.#state === 'open') return undefined
    if (this.#state === 'failed') return new JournalFailedError(`Cannot write to the journal ${this.dir}: it failed before`)
    return new JournalClosedError(`Cannot write to the journal ${this.dir}: it is closed`)
  }

  #intentFault(eventId: string, payloadBytes: number): Error | undefined {
    if (payloadBytes > this.#intentBytesMax) {
      return new AssertionError(`an intent of ${payloadBytes} bytes, at most ${this.#intentBytesMax} are allowed`)
    }
    if (this.#open.size >= this.#openMax) return this.#refuse(`${this.#openMax} intents are open already`)
    return this.#idFault(eventId)
  }

  #idFault(eventId: string): Error | undefined {
    switch (this.#recent.look(eventId)) {
      case 'new':
        return undefined
      case 'known':
        return new AssertionError(`intend() of ${eventId} a second time`)
      case 'malformed':
        return new AssertionError(`an event id is a UUID in lower case, not ${JSON.stringify(eventId)}`)
    }
  }

  #refuse(why: string): JournalFullError {
    this.#tally.refusedIntent()
    return new JournalFullError(`Cannot admit an intent to ${this.dir}: ${why}`)
  }

  /**
   * Whether an intent and its settlement find room beside every other open settlement, in whatever order they come.
   * Frames do not cross segments, so each segment but the last may waste up to one largest frame (SPEC.md I6).
   */
  #fits(payloadBytes: number): boolean {
    const { supply, left } = this.#log
    const intent = FRAME_BYTES + payloadBytes
    const need = this.#reserved + intent + intent + this.#settlementBytesMax
    const spare = supply.readyCount
    const waste = this.#frameBytesMax
    const room = spare === 0 ? left : Math.max(0, left - waste) + spare * supply.capacity - (spare - 1) * waste
    // Half a segment of head start hides the preparation of the next one from everybody.
    if (need > room || spare === 0 || room - need < supply.capacity / 2) supply.want(spare + 1)
    return need <= room
  }

  #place(intent: Intent, payload: Text): Promise<void> {
    this.#reserved += intent.reserve
    this.#recent.add(intent.eventId)
    const batch = this.#log.append({ kind: 'intent', eventId: intent.eventId, payload }, intent.settlementBound - this.#settlementBytesMax)
    intent.state = 'placed'
    batch.intents += 1
    return (batch.written ??= Promise.withResolvers<void>()).promise
  }

  /** Waits while segments are being prepared: a burst is not refused because the disk needs a moment. Bounded by `openMax`. */
  async #placeLater(intent: Intent, payload: Text, payloadBytes: number): Promise<void> {
    const { supply } = this.#log
    while (supply.preparing !== undefined) {
      await supply.preparing
      // The same id may have waited beside it.
      const fault = this.#fault() ?? this.#idFault(intent.eventId)
      if (fault !== undefined) throw this.#forgotten(intent, fault)
      if (this.#fits(payloadBytes)) return this.#place(intent, payload)
    }
    const refused = this.#refuse('no space is left for it and its settlement')
    throw this.#forgotten(intent, supply.fault ?? refused)
  }

  /** An intent that got no place. */
  #forgotten(intent: Intent, why: Error): Error {
    intent.state = 'gone'
    this.#open.remove(intent)
    if (intent.isNamed && this.#named.get(intent.eventId) === intent) this.#named.delete(intent.eventId)
    return why
  }

  #fail(operation: 'write' | 'fdatasync', cause: unknown): void {
    if (this.#state === 'failed') return
    this.#state = 'failed'
    this.#tally.failed()
    const error = new JournalFailedError(
      `Cannot ${operation} the journal ${this.dir}: it takes nothing more; restart the process once the disk is well`,
      { cause },
    )
    this.#logger.error('journal failed, nothing is admitted any more', { dir: this.dir, operation, error, openIntents: this.#open.size })
    this.#log.fail(error)
  }

  async #close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing'
    if (this.#open.size > 0)
      this.#logger.warn('journal closes with open intents, recovery will close them', { dir: this.dir, openIntents: this.#open.size })
    await this.#log.finish()
    if (this.#state === 'closing') this.#state = 'closed'
    this.#lock[Symbol.dispose]()
  }
}
