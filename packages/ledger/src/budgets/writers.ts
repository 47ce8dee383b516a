import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { Writer } from './accounts.ts'
import type { BudgetNews } from './round.ts'

/** How exact `seen_at` is: a live writer's row is not written in each round. */
const SEEN_MS = 10_000

type WriterRow = { readonly writer: string; readonly ended: boolean }

/**
 * Notes which writers live and which have ended, and gives all that matter. A writer has ended once every record that was committed when
 * its journal had been shipped has been counted: transactions below `countedBelow`.
 */
export async function noteWriters(tx: Queryable, news: BudgetNews, countedBelow: bigint): Promise<ReadonlyMap<string, Writer>> {
  const live = news.reports.map(({ writer }) => writer)
  if (live.length > 0) await noteLive(tx, live, news.now)
  if (news.gone.length > 0) {
    await tx.query(
      `update gateway_writer set end_transaction = pg_snapshot_xmax(pg_current_snapshot())::text::bigint
       where not ended and end_transaction is null and writer = any($1::text[]) and not writer = any($2::text[])`,
      [[...news.gone], live],
    )
  }
  await tx.query('update gateway_writer set ended = true where not ended and end_transaction <= $1::bigint', [countedBelow])
  // Those that ended hold nothing; only what they have spent counts, and that stands with their records.
  const { rows } = await tx.query<WriterRow>('select writer, ended from gateway_writer where not ended order by writer')
  const known = new Set(live)
  return new Map(rows.map(({ writer, ended }) => [writer, { live: known.has(writer), ended }]))
}

async function noteLive(tx: Queryable, live: readonly string[], now: Instant): Promise<void> {
  await tx.query(
    `insert into gateway_writer as w (writer, seen_at) select unnest($1::text[]), $2::timestamptz
     on conflict (writer) do update set seen_at = excluded.seen_at, ended = false, end_transaction = null
     where w.ended or w.end_transaction is not null or w.seen_at < excluded.seen_at - interval '${SEEN_MS} milliseconds'`,
    [[...live], sqlInstant(now)],
  )
}
