import { errorChain, silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import type { Clock, Logger, Meters } from '@ascribe/kit'
import type { Database, Queryable } from '@ascribe/postgres'
import { TrailDownError } from '../errors.ts'
import { appendLines } from './append.ts'
import type { AuditReceipt, NamedKey } from './append.ts'
import { encodeEntry } from './entry.ts'
import type { AuditEntry, Chain, EncodedEntry } from './entry.ts'
import { readHeads } from './heads.ts'
import { keyBody } from './keys.ts'
import type { AuditSigner, SignedHead } from './keys.ts'

export type TrailOptions = {
  /** A pool of its own, of one or two connections: readers that use theirs up must not keep lines waiting. */
  readonly db: Database
  readonly signer: AuditSigner
  /** Gets the signed heads of chains that grew: kept elsewhere, they show if the database is rewritten. */
  readonly logger?: Logger
  readonly meters?: Meters
  readonly clock?: Clock
  /** Between heads in the log, in milliseconds. Default: a minute. */
  readonly headEveryMs?: number
  /** How long a caller waits for its line, in milliseconds. Default: 5 s. */
  readonly timeoutMs?: number
  /** Whether the trail has to be taken for broken; for tests of what then happens. */
  readonly fault?: () => boolean
}

/** Writes the audit trail, for any number of callers at once. */
export type Trail = AsyncDisposable & {
  /**
   * Appends lines, all or none; durable when it resolves. Callers that come while a batch is being written share the next one.
   * @throws {TrailDownError} answer 503, and no data. The lines may be there all the same: then they say that somebody asked.
   */
  append(entries: readonly AuditEntry[]): Promise<readonly AuditReceipt[]>
  /** Appends lines in a transaction that does more. Let it be the last statement: chains are held until it ends. @throws {TrailDownError} */
  appendIn(tx: Queryable, entries: readonly AuditEntry[]): Promise<readonly AuditReceipt[]>
  /** The end of a chain as it is now, signed; `undefined`: nothing is in it. */
  signedHead(db: Queryable, chain: Chain): Promise<SignedHead | undefined>
}

type Waiting = {
  readonly lines: readonly EncodedEntry[]
  readonly done: PromiseWithResolvers<readonly AuditReceipt[]>
}

const HEAD_EVERY_MS = 60_000
const TIMEOUT_MS = 5_000
/** Lines of one batch: at 25 µs each it takes some 10 ms, and whoever comes next waits no longer than for two of them. */
const BATCH_LINES_MAX = 400
/** Lines that wait. More means that the database is far behind: better to say so at once. */
const WAITING_LINES_MAX = 20_000

/** Opens the trail. Nothing is written before the first line. Dispose it after whoever appends has stopped. */
export function createTrail(options: TrailOptions): Trail {
  return new GroupedTrail(options)
}

class GroupedTrail implements Trail {
  readonly #options: TrailOptions
  readonly #key: NamedKey
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #counters: ReturnType<typeof countersOf>
  readonly #grown = new Set<Chain>()
  readonly #headTimer: NodeJS.Timeout
  #waiting: Waiting[] = []
  #waitingLines = 0
  #writing: Promise<void> | undefined

  constructor(options: TrailOptions) {
    const { signer, logger = silentLogger, clock = systemClock, meters = silentMeters, headEveryMs = HEAD_EVERY_MS } = options
    this.#options = options
    this.#logger = logger
    this.#clock = clock
    this.#key = { keyId: signer.keyId, keyBody: keyBody(signer, clock()) }
    this.#counters = countersOf(meters)
    this.#headTimer = setInterval(() => void this.#logHeads(), headEveryMs).unref()
  }

  async append(entries: readonly AuditEntry[]): Promise<readonly AuditReceipt[]> {
    if (entries.length === 0) return []
    this.#refuseFault()
    const lines = entries.map(encodeEntry)
    if (this.#waitingLines + lines.length > WAITING_LINES_MAX) throw this.#down(`${this.#waitingLines} lines wait already`)
    const waiting: Waiting = { lines, done: Promise.withResolvers() }
    this.#waiting.push(waiting)
    this.#waitingLines += lines.length
    // Started after what has arrived by now was heard, so that it shares this batch and does not wait for the next.
    this.#writing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#writeAll())
    return this.#inTime(waiting)
  }

  async appendIn(tx: Queryable, entries: readonly AuditEntry[]): Promise<readonly AuditReceipt[]> {
    if (entries.length === 0) return []
    this.#refuseFault()
    const lines = entries.map(encodeEntry)
    try {
      const receipts = await appendLines(tx, lines, this.#key)
      this.#note(lines)
      return receipts
    } catch (cause) {
      throw this.#down('the database did not take the lines', cause)
    }
  }

  async signedHead(db: Queryable, chain: Chain): Promise<SignedHead | undefined> {
    const [head] = await readHeads(db, [chain])
    return head === undefined ? undefined : this.#options.signer.signHead(head, this.#clock())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#headTimer)
    await this.#writing
    await this.#logHeads()
  }

  /** One batch after the other, until nobody waits. One at a time: a chain is a queue anyway, and what waits meanwhile shares a commit. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      await this.#write(batch)
    }
    this.#writing = undefined
  }

  #takeBatch(): readonly Waiting[] {
    let count = 0
    let lines = 0
    for (const waiting of this.#waiting) {
      if (count > 0 && lines + waiting.lines.length > BATCH_LINES_MAX) break
      count += 1
      lines += waiting.lines.length
    }
    this.#waitingLines -= lines
    return this.#waiting.splice(0, count)
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const lines = batch.flatMap((waiting) => waiting.lines)
    const startedAt = performance.now()
    try {
      const receipts = await appendLines(this.#options.db, lines, this.#key)
      this.#counters.seconds.observe((performance.now() - startedAt) / 1000)
      this.#note(lines)
      let from = 0
      for (const { lines: own, done } of batch) done.resolve(receipts.slice(from, (from += own.length)))
    } catch (cause) {
      const error = this.#down('the database did not take the lines', cause)
      for (const { done } of batch) done.reject(error)
    }
  }

  /** A caller that waited for too long takes its lines back, unless they are on their way. */
  async #inTime(waiting: Waiting): Promise<readonly AuditReceipt[]> {
    const { timeoutMs = TIMEOUT_MS } = this.#options
    const timer = setTimeout(() => {
      const at = this.#waiting.indexOf(waiting)
      if (at !== -1) {
        this.#waiting.splice(at, 1)
        this.#waitingLines -= waiting.lines.length
      }
      waiting.done.reject(this.#down(`the database has not taken the lines within ${timeoutMs} ms`))
    }, timeoutMs)
    try {
      return await waiting.done.promise
    } finally {
      clearTimeout(timer)
    }
  }

  #refuseFault(): void {
    if (this.#options.fault?.() === true) throw this.#down('a fault was asked for')
  }

  #down(why: string, cause?: unknown): TrailDownError {
    this.#counters.failures.add()
    return new TrailDownError(`Cannot write the audit trail: ${why}`, { cause })
  }

  #note(lines: readonly EncodedEntry[]): void {
    for (const { chain } of lines) this.#grown.add(chain)
    this.#counters.lines.add(lines.length)
  }

  /** Read from the database, which knows what other processes added, and what of ours was rolled back. */
  async #logHeads(): Promise<void> {
    const chains = [...this.#grown]
    this.#grown.clear()
    if (chains.length === 0) return
    try {
      for (const head of await readHeads(this.#options.db, chains)) {
        this.#logger.info('audit head', { ...this.#options.signer.signHead(head, this.#clock()) })
      }
    } catch (error) {
      for (const chain of chains) this.#grown.add(chain)
      this.#logger.warn('audit heads could not be read', { error: errorChain(error) })
    }
  }
}

function countersOf(meters: Meters) {
  return {
    lines: meters.counter('ascribe_audit_lines_total', 'Lines appended to the audit trail'),
    failures: meters.counter('ascribe_audit_failures_total', 'Requests whose lines the audit trail did not take'),
    seconds: meters.histogram('ascribe_audit_append_seconds', 'Duration of one batch of the audit trail', {
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    }),
  }
}
