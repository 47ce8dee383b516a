import type { Database, Queryable } from '@ascribe/postgres'
import { instantOfId } from '@ascribe/units'
import type { EventId, Instant } from '@ascribe/units'

/**
 * How far a record's instant may lie from the time in its event id, in milliseconds: a gateway takes both from one clock, a moment apart.
 * A question about instants is one about ids, wider by this: see {@link idBoundsSql}.
 */
export const ID_TOLERANCE_MS = 3_600_000

/** As in record-check.ts. */
const INSTANT_MAX = Date.UTC(2200, 0, 1)

/** What partitions must take in. */
type Dated = { readonly eventId: EventId; readonly startedAt: Instant }

/**
 * The condition on `r.event_id` that goes with `instant >= start and instant < end`: without it a query reads the index of every month.
 * Both are SQL of type timestamptz and may be infinite.
 */
export function idBoundsSql(start: string, end: string): string {
  return `r.event_id >= event_id_from(${start}) and r.event_id < event_id_until(${end})`
}

/** Months of the ids, as the first day, `2026-11-01`. */
function monthsOf(records: Iterable<Pick<Dated, 'eventId'>>): ReadonlySet<string> {
  const months = new Set<string>()
  let [start, end] = [0, 0]
  for (const { eventId } of records) {
    const at = instantOfId(eventId)
    // Almost always all of one month.
    if (at >= start && at < end) continue
    // No id, or one of a time that no record can have: refused when it is checked.
    if (!(at < INSTANT_MAX)) continue
    const date = new Date(at)
    start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
    end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
    months.add(new Date(start).toISOString().slice(0, 10))
  }
  return months
}

/** Says of records whether they can be stored here; `false`: what their month used is in an archive, and closed for good. */
export type Accepts = (record: Dated) => boolean

type Archived = { readonly lowerId: EventId; readonly upperId: EventId; readonly firstHour: number; readonly lastHour: number }

/** Makes the partitions that records need. For the caller's transaction: call it before other statements that wait for somebody. */
export async function ensurePartitions(db: Queryable, records: Iterable<Dated>): Promise<Accepts> {
  return ensureMonths(db, monthsOf(records))
}

async function ensureMonths(db: Queryable, months: ReadonlySet<string>): Promise<Accepts> {
  // One by one, in order: two that make the same ones never wait for each other in a circle.
  for (const month of [...months].toSorted()) await db.query('select ensure_usage_partition($1::date)', [month])
  const archived = await readArchived(db)
  if (archived.length === 0) return () => true
  return ({ eventId, startedAt }) =>
    !archived.some(
      ({ lowerId, upperId, firstHour, lastHour }) =>
        (eventId >= lowerId && eventId < upperId) || (startedAt >= firstHour && startedAt < lastHour + ID_TOLERANCE_MS),
    )
}

async function readArchived(db: Queryable): Promise<readonly Archived[]> {
  const { rows } = await db.query<{ lower_id: string; upper_id: string; first_hour: number | null; last_hour: number | null }>(
    'select lower_id, upper_id, first_hour, last_hour from usage_archive',
  )
  return rows.map((row) => ({
    lowerId: row.lower_id,
    upperId: row.upper_id,
    firstHour: row.first_hour ?? Infinity,
    lastHour: row.last_hour ?? -Infinity,
  }))
}

/** What is known of a database: asked once a month, not once a batch. */
type Known = { readonly months: Set<string>; accepts: Accepts; at: number }

const known = new WeakMap<Database, Known>()
/** An archive that was begun since is known after this long. Until then the database refuses what belongs to it. */
const KNOWN_MS = 60_000

/** As {@link ensurePartitions}, before a transaction begins; remembers what it found. */
export async function ensurePartitionsOnce(
  db: Database,
  records: Iterable<Pick<Dated, 'eventId'>>,
  { afresh = false }: { readonly afresh?: boolean } = {},
): Promise<Accepts> {
  const months = monthsOf(records)
  const before = known.get(db)
  const isFresh = before !== undefined && !afresh && performance.now() - before.at < KNOWN_MS
  if (isFresh && months.isSubsetOf(before.months)) return before.accepts
  const accepts = await ensureMonths(db, months)
  known.set(db, { months: isFresh ? before.months.union(months) : new Set(months), accepts, at: performance.now() })
  return accepts
}

/** Makes the partitions of this month and the next, so that nobody waits for one at midnight. */
export async function preparePartitions(db: Queryable, now: Instant): Promise<void> {
  const date = new Date(now)
  for (const months of [0, 1]) {
    const month = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1)).toISOString().slice(0, 10)
    await db.query('select ensure_usage_partition($1::date)', [month])
  }
}
