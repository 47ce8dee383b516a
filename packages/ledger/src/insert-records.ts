import { formatInstant } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { hourOf } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { INSERT_RECORDS, USAGE_CHANNEL } from './ingest.ts'
import { LedgerInputError } from './errors.ts'
import type { RecordActKind } from './list-acts.ts'
import { lockIngest } from './locks.ts'
import { ensurePartitions } from './partitions.ts'
import { rowLiteral } from './record-row.ts'

/** Why an hour has to be rated again. */
export type MarkCause = 'record' | RecordActKind

/** Rows sent at once; the bound on the size of a statement. */
const ROWS_MAX = 5000

/**
 * Stores records that come from no journal, in the caller's transaction, and marks their hours to be rated. Gives the number of those
 * that were not there before. Call it before any other statement of the transaction that waits for somebody.
 * @throws {LedgerInputError} for records of a month that is in an archive
 * @throws {DatabaseError}
 */
export async function insertRecords(
  tx: Queryable,
  records: readonly UsageRecord[],
  { writer, cause = 'record' }: { readonly writer: string; readonly cause?: MarkCause },
): Promise<number> {
  if (records.length === 0) return 0
  const accepts = await ensurePartitions(tx, records)
  const archived = records.find((record) => !accepts(record))
  if (archived !== undefined) {
    throw new LedgerInputError(`Cannot store a record of ${formatInstant(archived.startedAt)}: its month is closed and in an archive`)
  }
  await lockIngest(tx)
  // In the order of ids, as ingestBatch does: two transactions that share some then never wait for each other in a circle.
  const sorted = records.toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1))
  let inserted = 0
  for (let start = 0; start < sorted.length; start += ROWS_MAX) {
    const literals = sorted.slice(start, start + ROWS_MAX).map(rowLiteral)
    inserted += (await tx.query(INSERT_RECORDS, [`{${literals.join(',')}}`, writer])).rowCount
  }
  await markHours(tx, new Set(records.map(({ startedAt }) => hourOf(startedAt).start)), cause)
  await tx.query(`select pg_notify('${USAGE_CHANNEL}', '')`)
  return inserted
}

/** Marks hours to be rated again; the cause is what adjustments of closed months say. */
export async function markHours(tx: Queryable, hours: ReadonlySet<number>, cause: MarkCause): Promise<void> {
  await tx.query('insert into dirty_hour (hour, cause) select unnest($1::timestamptz[]), $2::text', [[...hours].map(formatInstant), cause])
}
