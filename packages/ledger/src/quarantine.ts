import type { Database, Queryable } from '@ascribe/postgres'
import { ingestBatch } from './ingest.ts'
import type { WriterPosition } from './positions.ts'

/** A delivery that was set aside. */
export type QuarantinedDelivery = {
  readonly id: bigint
  readonly eventId: string
  readonly writer: string
  /** Where the batch ended in which it came. */
  readonly position: WriterPosition
  /** As it came. */
  readonly payload: string
  /** What the database said; absent when we refused it before. */
  readonly sqlstate?: string
  readonly reason: string
  /** UTC epoch milliseconds. */
  readonly firstSeen: number
  /** When it became a record after all. */
  readonly replayedAt?: number
}

type QuarantineRow = {
  readonly quarantine_id: bigint
  readonly event_id: string
  readonly writer: string
  readonly segment: bigint
  readonly byte_offset: bigint
  readonly payload: Uint8Array
  readonly sqlstate: string | null
  readonly reason: string
  readonly first_seen: number
  readonly replayed_at: number | null
}

const PAGE = 500
const TEXT = new TextDecoder()

/** One page of what is set aside, oldest first; without what has been replayed, unless asked for. */
export async function listQuarantine(
  db: Queryable,
  options: { readonly afterId?: bigint; readonly limit?: number; readonly replayed?: boolean } = {},
): Promise<readonly QuarantinedDelivery[]> {
  const { afterId = 0n, limit = PAGE, replayed = false } = options
  const { rows } = await db.query<QuarantineRow>(
    `select quarantine_id, event_id, writer, segment, byte_offset, payload, sqlstate, reason, first_seen, replayed_at
     from usage_quarantine where quarantine_id > $1::bigint and (replayed_at is null or $3::boolean) order by quarantine_id limit $2::integer`,
    [afterId, limit, replayed],
  )
  return rows.map((row) => ({
    id: row.quarantine_id,
    eventId: row.event_id,
    writer: row.writer,
    position: { segment: Number(row.segment), offset: Number(row.byte_offset) },
    payload: TEXT.decode(row.payload),
    ...(row.sqlstate === null ? {} : { sqlstate: row.sqlstate }),
    reason: row.reason,
    firstSeen: row.first_seen,
    ...(row.replayed_at === null ? {} : { replayedAt: row.replayed_at }),
  }))
}

/**
 * Tries everything that is set aside once more, after a program that refused it has been mended. What becomes a record, or is
 * one already, is marked as replayed and stays to be seen. Safe to repeat and to interrupt.
 */
export async function replayQuarantine(db: Database): Promise<{ readonly replayed: number; readonly refused: number }> {
  let [replayed, refused, afterId] = [0, 0, 0n]
  for (;;) {
    const page = await listQuarantine(db, { afterId })
    for (const delivery of page) {
      if (await replay(db, delivery)) replayed += 1
      else refused += 1
      afterId = delivery.id
    }
    if (page.length < PAGE) return { replayed, refused }
  }
}

/** The position of the batch is long behind its writer, so that ingesting it again does not move it. */
async function replay(db: Database, { id, eventId, writer, position, payload }: QuarantinedDelivery): Promise<boolean> {
  const { inserted, duplicates } = await ingestBatch(db, { writer, position, records: [{ eventId, payload }] })
  if (inserted + duplicates === 0) return false
  await db.query('update usage_quarantine set replayed_at = now() where quarantine_id = $1::bigint', [id])
  return true
}
