import type { Meters } from '@ascribe/kit'

/** `failed` is for good: a write or fdatasync failed. */
export type JournalState = 'open' | 'closing' | 'closed' | 'failed'

/** Upper bounds of the commit latency classes, in seconds; one more class takes the rest. */
export const COMMIT_SECONDS_BUCKETS: readonly number[] = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
]

/** What a writer did so far. A snapshot. */
export type JournalStats = {
  readonly state: JournalState
  /** Intents written to the kernel. */
  readonly intents: number
  /** Settlements written to the kernel. */
  readonly settlements: number
  /** Bytes written to the kernel, seals included, zeros written ahead not. */
  readonly bytes: number
  readonly writes: number
  /** fdatasyncs that succeeded. */
  readonly commits: number
  /** Count of commits in each class of {@link COMMIT_SECONDS_BUCKETS}; not cumulative. */
  readonly commitSeconds: readonly number[]
  /** Intents without a settlement, those that wait for space included. */
  readonly openIntents: number
  /** Intents refused for want of space. */
  readonly refused: number
  /** Sequence of the segment that takes new frames. */
  readonly segment: number
  /** Bytes of all segments not known to be released, prepared ones included. */
  readonly retainedBytes: number
}

/** Counts in one process and hands the same counts to `meters`, once a batch and not once a record. */
export class WriterTally {
  intents = 0
  settlements = 0
  bytes = 0
  writes = 0
  commits = 0
  refused = 0
  readonly commitSeconds: number[] = COMMIT_SECONDS_BUCKETS.map(() => 0).concat(0)
  readonly #instruments: ReturnType<typeof instrumentsOf>

  constructor(meters: Meters) {
    this.#instruments = instrumentsOf(meters)
  }

  wrote(batch: { readonly intents: number; readonly settlements: number; readonly length: number }, openIntents: number): void {
    this.intents += batch.intents
    this.settlements += batch.settlements
    this.bytes += batch.length
    this.writes += 1
    if (batch.intents > 0) this.#instruments.records.add(batch.intents, INTENT)
    if (batch.settlements > 0) this.#instruments.records.add(batch.settlements, SETTLEMENT)
    this.#instruments.bytes.add(batch.length)
    this.#instruments.openIntents.set(openIntents)
  }

  committed(seconds: number): void {
    this.commits += 1
    const index = COMMIT_SECONDS_BUCKETS.findIndex((bound) => seconds <= bound)
    const bucket = index === -1 ? COMMIT_SECONDS_BUCKETS.length : index
    this.commitSeconds[bucket] = (this.commitSeconds[bucket] ?? 0) + 1
    this.#instruments.commitSeconds.observe(seconds)
  }

  refusedIntent(): void {
    this.refused += 1
    this.#instruments.refused.add(1)
  }

  failed(): void {
    this.#instruments.failed.set(1)
  }
}

const INTENT = Object.freeze({ kind: 'intent' })
const SETTLEMENT = Object.freeze({ kind: 'settlement' })

function instrumentsOf(meters: Meters) {
  return {
    records: meters.counter('ascribe_journal_records_total', 'Frames written to the journal, by kind'),
    bytes: meters.counter('ascribe_journal_written_bytes_total', 'Bytes written to the journal'),
    refused: meters.counter('ascribe_journal_refused_total', 'Intents refused for want of space'),
    openIntents: meters.gauge('ascribe_journal_open_intents', 'Intents without a settlement'),
    failed: meters.gauge('ascribe_journal_failed', '1 once a write or fdatasync has failed: nothing is admitted any more'),
    commitSeconds: meters.histogram('ascribe_journal_commit_seconds', 'Duration of one fdatasync of the journal', {
      buckets: COMMIT_SECONDS_BUCKETS,
    }),
  }
}
