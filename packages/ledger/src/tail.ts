import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseError } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { MAPPING_AT_INSTANT, claimAgreesSql } from './attribution-sql.ts'
import type { LedgerRecord } from './event-json.ts'
import { ledgerRecordOf } from './events.ts'
import { USAGE_CHANNEL } from './ingest.ts'
import { ingestHorizon } from './locks.ts'
import { RECORD_COLUMNS } from './record-row.ts'
import type { RecordRow } from './record-row.ts'

/** A place in the order in which records were committed. Good only in this database: not after a restore into another. */
export type IngestCursor = { readonly transaction: bigint; readonly eventId: string }

type IngestedRow = RecordRow & { readonly organization_id: string | null; readonly ingest_transaction: bigint }

const PAGE = 1000
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
/** A notice may come while an older transaction is still open, which hides the records behind it; so we look again. */
const LOOK_AGAIN_MS = 200

// Transactions commit out of order. Those below the horizon have all ended: whoever reads only below it never finds later that
// something appeared behind his place. Uses the index on ingest_transaction.
const PAGE_SQL = `
select ${RECORD_COLUMNS}, r.ingest_transaction,
  case when ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')} then m.organization_id end as organization_id
from usage_record r ${MAPPING_AT_INSTANT}
where r.ingest_transaction >= $1::bigint and (r.ingest_transaction, r.event_id) > ($1::bigint, $2::uuid)
  and r.ingest_transaction < $3::bigint
order by r.ingest_transaction, r.event_id limit $4::integer`

/** The place behind everything that is committed; records of transactions that are open now come after it, and perhaps some of those that have just ended. */
export async function ingestCursorNow(db: Database): Promise<IngestCursor> {
  return { transaction: (await ingestHorizon(db)) - 1n, eventId: LAST_ID }
}

/**
 * One page of records, after a cursor; `cursor` is where the next page begins. In the order of the transactions that brought
 * them, which is nearly that of their commits. Skips nothing: a record is withheld while an older batch is still on its way.
 */
export async function readIngested(
  db: Database,
  options: { readonly after: IngestCursor; readonly limit?: number },
): Promise<{ readonly records: readonly LedgerRecord[]; readonly cursor: IngestCursor }> {
  const { after, limit = PAGE } = options
  // A statement of its own, before the one that reads: in one, a transaction could end after the snapshot and before the look.
  const horizon = await ingestHorizon(db)
  const { rows } = await db.query<IngestedRow>(PAGE_SQL, [after.transaction, after.eventId, horizon, limit])
  const last = rows.at(-1)
  return {
    records: rows.map(ledgerRecordOf),
    cursor: last === undefined ? after : { transaction: last.ingest_transaction, eventId: last.event_id },
  }
}

/**
 * Follows new records as they are committed, each exactly once, until `signal` fires. Starts at `after`, by default now.
 * A database that goes away is waited for. @throws {DatabaseError} when it answers that it cannot, for any other reason.
 */
export async function* tailEvents(
  db: Database,
  options: { readonly signal: AbortSignal; readonly after?: IngestCursor },
): AsyncGenerator<LedgerRecord, void, undefined> {
  const { signal } = options
  let cursor = options.after ?? (await ingestCursorNow(db))
  let wake = Promise.withResolvers<void>()
  await using _subscription = db.listen(USAGE_CHANNEL, () => wake.resolve())
  while (!signal.aborted) {
    // Before reading: a notice that comes while we read is about what we may have missed.
    wake = Promise.withResolvers<void>()
    const page = await readIfThere(db, cursor)
    for (const record of page.records) yield record
    cursor = page.cursor
    if (page.records.length < PAGE && !signal.aborted) await eitherOf(wake.promise, signal)
  }
}

async function readIfThere(db: Database, after: IngestCursor): ReturnType<typeof readIngested> {
  try {
    return await readIngested(db, { after })
  } catch (thrown) {
    if (thrown instanceof DatabaseError && thrown.retryable) return { records: [], cursor: after }
    throw thrown
  }
}

/** Waits for a notice, the end of a short while, or the signal. */
async function eitherOf(woken: Promise<void>, signal: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  await Promise.race([woken, delay(LOOK_AGAIN_MS, undefined, { signal: either }).catch(() => {})])
  stop.abort()
}
