import type { Queryable } from '@ascribe/postgres'

// Advisory locks are numbers shared by the whole database, shown in pg_locks as (classid, objid). Ours begin with "ascr" in ASCII.
const CLASS = 0x61736372n
const RATING = 1n
const INGEST = 2n
/** The migration's trigger on organization_parent has this number too. */
const DIRECTORY = 4n
// 3: making a partition, see ensure_usage_partition(). 5: granting roles.

const lockId = (object: bigint): bigint => (CLASS << 32n) | object

/**
 * Makes the caller, until its transaction ends, the only one that changes what rating reads (mappings, prices, which months are closed),
 * while nobody rates. A rater therefore never works with a directory that changes under it, and whoever changes it sees every hour
 * that was rated before. Take it first; in `read committed`, so that the statements after it see what its last holder committed.
 */
export async function lockRating(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::bigint)', [lockId(RATING)])
}

/** Says that this transaction rates: it excludes {@link lockRating}, and no other rater. Take it first, then the hours or the month. */
export async function lockRatingShared(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock_shared($1::bigint)', [lockId(RATING)])
}

// What one rater has for itself: an hour, or the lines of a month. Pairs of numbers are apart from single ones: "asch" and "ascm" in ASCII.
const HOUR_CLASS = 0x61736368
const MONTH_CLASS = 0x6173636d
const HOUR_MS = 3_600_000

/**
 * Makes the caller, until its transaction ends, the only one that rates an hour. `false`: another one does, and `wait` was not wanted.
 * A transaction takes one hour only, so that no two wait for each other.
 */
export async function lockHour(tx: Queryable, hour: number, { wait }: { readonly wait: boolean }): Promise<boolean> {
  const key = [HOUR_CLASS, Math.floor(hour / HOUR_MS)]
  if (wait) {
    await tx.query('select pg_advisory_xact_lock($1::integer, $2::integer)', key)
    return true
  }
  const { rows } = await tx.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1::integer, $2::integer) as locked', key)
  return rows[0]?.locked === true
}

/** Makes the caller, until its transaction ends, the only one that corrects the lines of a closed month, `2026-11`. Waits. */
export async function lockMonth(tx: Queryable, month: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::integer, $2::integer)', [MONTH_CLASS, Number(month.replace('-', ''))])
}

/**
 * Makes the caller, until its transaction ends, the only one that adds to the histories of organizations, users, groups, members and
 * resources: each new row is decided by those before it. In `read committed`. Whoever needs {@link lockRating} too takes that first.
 */
export async function lockDirectory(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::bigint)', [lockId(DIRECTORY)])
}

/**
 * Says that this transaction is going to add usage records. Whoever adds some takes it before anything else, so that
 * {@link ingestHorizon} knows of it. It excludes nobody.
 */
export async function lockIngest(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock_shared($1::bigint)', [lockId(INGEST)])
}

/** Waits until nobody ingests, and keeps others from it until this transaction ends; so let it be short. After {@link lockRating}. */
export async function lockIngestAlone(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::bigint)', [lockId(INGEST)])
}

// The snapshot is taken before the locks are looked at. So a transaction that is not among those looked at has either ended, or
// it took its lock, and its number after that, later: then its number is at least xmax. pg_locks has the low 32 bits of numbers.
const HORIZON = `
with seen as materialized (select pid, locktype, database, classid, objid, objsubid, transactionid, mode, granted from pg_locks),
  snapshot as (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax)
select least(xmax, (
  select min(xmax - behind)
  from seen ingest
  join seen own on own.pid = ingest.pid and own.locktype = 'transactionid' and own.mode = 'ExclusiveLock' and own.granted
  cross join lateral (select (xmax - own.transactionid::text::bigint) & 4294967295 as behind) b
  where ingest.locktype = 'advisory' and ingest.granted and ingest.objsubid = 1
    and ingest.classid::bigint = ${CLASS} and ingest.objid::bigint = ${INGEST}
    and ingest.database = (select oid from pg_database where datname = current_database())
    and behind < 2147483648
)) as horizon
from snapshot`

/**
 * A transaction number below which no record will ever appear any more: every ingesting transaction below it has ended. Statements
 * that begin after this returns see all of their records. Other transactions of the server, however long, do not hold it back, as
 * they would with pg_snapshot_xmin.
 */
export async function ingestHorizon(db: Queryable): Promise<bigint> {
  const { rows } = await db.query<{ horizon: bigint }>(HORIZON)
  return rows[0]?.horizon ?? 0n
}
