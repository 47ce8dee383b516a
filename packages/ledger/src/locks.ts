import type { Queryable } from '@ascribe/postgres'

// Advisory locks are numbers shared by the whole database; ours begin with "ascr" in ASCII.
const RATING = 0x61736372_00000001n

/**
 * Makes the caller, until its transaction ends, the only one that rates or changes what rating reads (mappings, prices).
 * A rater therefore never works with a directory that changes under it, and whoever changes it sees every hour that was
 * rated before. Take it first; in `read committed`, so that the statements after it see what its last holder committed.
 */
export async function lockRating(tx: Queryable): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::bigint)', [RATING])
}
