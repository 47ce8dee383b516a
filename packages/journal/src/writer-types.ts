import type { Clock, Logger, Meters, TryLock } from '@ascribe/kit'
import type { Text } from './frame.ts'
import type { JournalFs } from './fs.ts'
import type { OpenIntent } from './open-intent.ts'
import type { JournalState, JournalStats } from './stats.ts'

/** What {@link openJournalWriter} takes. Sizes are bytes, times milliseconds. */
export type JournalWriterOptions = {
  /** Folder of all writers, `DIR/journal`; made if missing. */
  readonly root: string
  /** Name of this writer and its folder, which must hold no journal yet. Default: a new UUIDv7. */
  readonly writer?: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters?: Meters
  /** Default: the machine's disk. */
  readonly fs?: JournalFs
  /** Size of a segment. Default 16 MiB. */
  readonly segmentBytes?: number
  /** Most bytes of an intent's payload. Default 64 KiB. */
  readonly intentBytesMax?: number
  /** Most bytes that a settlement's payload may have beyond its intent's. Default 4 KiB. */
  readonly settlementBytesMax?: number
  /** Least time between the starts of two fdatasyncs under load; four times as long while the event loop never rests. Default 1; the README has what was measured. */
  readonly commitIntervalMs?: number
  /** `durable`: settle() resolves after fdatasync. `written`: after write, which survives the process and not the machine. Default `durable`. */
  readonly ack?: 'durable' | 'written'
  /** Most open intents. Default 65,536. */
  readonly openMax?: number
  /** Most bytes of all segments on the disk; beyond, intents are refused until the settler releases some. Default 8 GiB. */
  readonly retainedBytesMax?: number
  /** How long after a failed preparation of a segment it is tried again. Default 1,000. */
  readonly retryMs?: number
}

/** The journal of one process. Disposing it is {@link close}. */
export type JournalWriter = AsyncDisposable & {
  readonly writer: string
  readonly dir: string
  readonly state: JournalState
  readonly stats: JournalStats
  /**
   * Takes an intent. `eventId` is a UUID that was never used before; `payload` has at most `intentBytesMax` bytes as UTF-8. What
   * {@link intend} throws, `written` of the answer rejects with.
   */
  admit(eventId: string, payload: Text): OpenIntent
  /**
   * {@link admit} for callers that keep nothing between intent and settlement: costs them a look-up. Resolves when the intent is written to the kernel, so that it survives `kill -9`; it joins the next fdatasync.
   *
   * @throws {JournalFullError | JournalFailedError | JournalClosedError} the intent is not in the journal.
   */
  intend(eventId: string, payload: string): Promise<void>
  /**
   * Settles an open intent, once. Resolves when the settlement is durable (see `ack`). The payload has at most as many
   * bytes as {@link settlementBound} says of the intent's: space for that is held since the intent.
   *
   * @throws {JournalFailedError | JournalClosedError} the settlement may be lost: do not let the reply end as if it were not.
   */
  settle(eventId: string, payload: string): Promise<void>
  /**
   * Resolves when everything that was written before it was called is durable, intents too: for what must not be begun before its intent
   * would survive a loss of power.
   *
   * @throws {JournalFailedError | JournalClosedError} nobody knows whether it is.
   */
  sync(): Promise<void>
  /** Most bytes of the payload that settles an open intent, as UTF-8. */
  settlementBound(eventId: string): number
  /**
   * Takes nothing more, commits what was given, seals the segment and releases the lock. Intents that are still open stay
   * so, for recovery to close. After a failure it only lets go. Calling it again waits for the same end.
   */
  close(): Promise<void>
}
