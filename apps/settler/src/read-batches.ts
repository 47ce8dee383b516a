import { readJournal } from '@ascribe/journal'
import type { Position } from '@ascribe/journal'
import type { Delivery } from '@ascribe/ledger'

/** Records in one transaction at most: with fewer, what a transaction costs by itself tells; more gain nothing. */
const BATCH_RECORDS = 5000
/** What is read and decoded at once holds the event loop, which may be a gateway's, for some milliseconds; so a batch is several of these. */
const SLICE_ENTRIES = 2000
const SLICE_BYTES = 1024 * 1024

/** Settled records of a journal in order, and where the journal goes on. No records: only intents lay before `next`. */
export type DrainBatch = {
  readonly records: readonly Delivery[]
  readonly next: Position
  /** Whether it ends at our bound, not at that of the journal: there is a backlog. */
  readonly isFull: boolean
}

/**
 * Reads what a journal holds now, in batches that are full while there is a backlog, and the next one already while the caller stores
 * the one before. @throws {JournalCorruptError} at damage, after everything before it was given
 */
export function readBatches(dir: string, from: Position | undefined): AsyncGenerator<DrainBatch, void, undefined> {
  return readAhead(joined(dir, from))
}

async function* joined(dir: string, from: Position | undefined): AsyncGenerator<DrainBatch, void, undefined> {
  let records: Delivery[] = []
  let next: Position | undefined
  try {
    for await (const slice of readJournal(dir, from, { entriesMax: SLICE_ENTRIES, bytesMax: SLICE_BYTES, payloads: 'settlements' })) {
      for (const { kind, eventId, payload } of slice.entries) if (kind === 'settlement') records.push({ eventId, payload })
      next = slice.next
      if (records.length < BATCH_RECORDS) continue
      yield { records, next, isFull: true }
      records = []
      next = undefined
    }
  } catch (error) {
    if (next !== undefined) yield { records, next, isFull: false }
    throw error
  }
  if (next !== undefined) yield { records, next, isFull: false }
}

/** Asks for each item while the caller has the one before. */
async function* readAhead<Item>(items: AsyncGenerator<Item, void, undefined>): AsyncGenerator<Item, void, undefined> {
  let following = items.next()
  try {
    for (;;) {
      const item = await following
      if (item.done === true) return
      following = items.next()
      // Thrown where it is waited for; until then it is nobody's.
      following.catch(() => {})
      yield item.value
    }
  } finally {
    await items.return()
  }
}
