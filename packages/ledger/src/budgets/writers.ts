import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { Writer } from './accounts.ts'
import type { BudgetNews } from './round.ts'

/** A writer lives that has told of itself within this time, to this settler or to another one. */
const LIVE_MS = 12_000
/** How exact `seen_at` is: a live writer's row is not written in each round. */
const SEEN_MS = 4000

type WriterRow = { readonly writer: string; readonly live: boolean }

/**
 * Notes which writers live and which have ended, and gives those that have not. A writer has ended once every record that was committed
 * when its journal had been shipped has been counted: transactions below `countedBelow`.
 */
export async function noteWriters(tx: Queryable, news: BudgetNews, countedBelow: bigint): Promise<ReadonlyMap<string, Writer>> {
  const { reports, closed = [], gone, now } = news
  const live = reports.map(({ writer }) => writer)
  if (live.length > 0) await noteLive(tx, live, now)
  if (closed.length > 0) {
    await tx.query(
      "update gateway_writer set seen_at = '-infinity' where not ended and writer = any($1::text[]) and seen_at > '-infinity'",
      [[...closed]],
    )
  }
  if (gone.length > 0) {
    await tx.query(
      `update gateway_writer set end_transaction = pg_snapshot_xmax(pg_current_snapshot())::text::bigint
       where not ended and end_transaction is null and writer = any($1::text[]) and not writer = any($2::text[])`,
      [[...gone], live],
    )
  }
  await tx.query('update gateway_writer set ended = true where not ended and end_transaction <= $1::bigint', [countedBelow])
  const { rows } = await tx.query<WriterRow>(
    `select writer, end_transaction is null and seen_at > $1::timestamptz as live from gateway_writer where not ended order by writer`,
    [sqlInstant(now - LIVE_MS)],
  )
  return new Map(rows.map((row) => [row.writer, { live: row.live, ended: false }]))
}

async function noteLive(tx: Queryable, live: readonly string[], now: Instant): Promise<void> {
  await tx.query(
    `insert into gateway_writer as w (writer, seen_at) select unnest($1::text[]), $2::timestamptz
     on conflict (writer) do update set seen_at = excluded.seen_at, ended = false, end_transaction = null
     where w.ended or w.end_transaction is not null or w.seen_at < excluded.seen_at - interval '${SEEN_MS} milliseconds'`,
    [[...live], sqlInstant(now)],
  )
}
