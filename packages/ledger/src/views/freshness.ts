import type { Queryable } from '@ascribe/postgres'
import type { Instant, Period } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { RECORD_SOURCE } from './cost-source.ts'

/** How new what is shown is, and what is not in it. */
export type Freshness = {
  /** Admission of the newest record of these organizations that is rated; absent: none is. */
  readonly newestRecordAt?: Instant
  /** Every hour that began before this has been rated with all records that the ledger has. */
  readonly ratedBefore: Instant
  /** Records in the window that nobody is charged for yet: without a price, or of unknown quantity. */
  readonly heldRecords: bigint
}

type Row = { readonly newest: number | null; readonly dirty: number | null; readonly held: string }

// Indexes usage_hour_organization (its newest hour, one for each organization) and the key of dirty_hour.
const FRESHNESS = `
select (
    select max(n.last_instant) from unnest($1::uuid[]) o (id) cross join lateral (
      select last_instant from usage_hour u where u.organization_id = o.id and u.hour = (
        select max(hour) from usage_hour m where m.organization_id = o.id)
    ) n
  ) as newest, (select min(hour) from dirty_hour) as dirty,
  (select coalesce(sum(held_count), 0)::text from (${RECORD_SOURCE.day}) t) as held`

/** Reads how new the data of a period are. */
export async function readFreshness(
  db: Queryable,
  { organizationIds, period, now }: { readonly organizationIds: readonly string[]; readonly period: Period; readonly now: Instant },
): Promise<Freshness> {
  const { rows } = await db.query<Row>(FRESHNESS, [[...organizationIds], sqlInstant(period.start), sqlInstant(period.end)])
  const [row] = rows
  return {
    ...(row?.newest !== null && row?.newest !== undefined && { newestRecordAt: row.newest }),
    ratedBefore: Math.min(row?.dirty ?? Infinity, now),
    heldRecords: BigInt(row?.held ?? '0'),
  }
}
