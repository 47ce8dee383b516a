import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { sqlInstant, startOf } from './instants.ts'
import type { Start } from './instants.ts'
import { lockRating } from './locks.ts'
import { bumpPolicy } from './policy.ts'

export type NewMapping = {
  readonly authId: string
  readonly organizationId: string
  /** Who uses it, as the directory knows it. */
  readonly userId?: string
  /**
   * From which instant of usage on, until the next mapping of the auth id. Default: the beginning of time when the auth id
   * has no mapping yet, so that what is held for it rates itself; else now.
   */
  readonly from?: Start
}

/**
 * - `mapped`: from `from` on; the `hours` of usage that it touches will be rated again.
 * - `unchanged`: that is already so at `from`.
 * - `conflict`: another mapping begins at exactly `from`; nothing was changed, because a mapping is never overwritten.
 */
export type MapOutcome =
  | { readonly kind: 'mapped'; readonly from: Start; readonly hours: number }
  | { readonly kind: 'unchanged'; readonly from: Start }
  | { readonly kind: 'conflict'; readonly from: Start; readonly organizationId: string }
  | { readonly kind: 'unknown_organization' }

/** The longest auth id that can be mapped, in bytes of UTF-8: an index entry holds no more than about 2700. */
const AUTH_ID_BYTES_MAX = 1024

/** The mapping in force at an instant. */
type MappingRow = { readonly valid_from: number; readonly organization_id: string; readonly user_id: string | null }

/**
 * Says to which organization (and user) usage of an auth id belongs. Any auth id: one of a trusted peer or one of our keys.
 * Waits until the rater is between two hours. @throws {LedgerInputError}
 */
export async function mapAuthId(db: Database, input: NewMapping): Promise<MapOutcome> {
  const { authId, organizationId, userId = null } = input
  if (authId === '' || authId.includes('\0') || Buffer.byteLength(authId) > AUTH_ID_BYTES_MAX) {
    throw new LedgerInputError(`Cannot map the auth id: it is empty, holds NUL or has more than ${AUTH_ID_BYTES_MAX} bytes`)
  }
  if (!isUuid(organizationId)) return { kind: 'unknown_organization' }
  return db.transaction(async (tx) => {
    await lockRating(tx)
    const organization = await tx.query('select from organization where organization_id = $1::uuid', [organizationId])
    if (organization.rowCount === 0) return { kind: 'unknown_organization' }
    const from = input.from ?? (await defaultStart(tx, authId))
    const current = await mappingAt(tx, authId, from)
    if (current?.organization_id === organizationId && current.user_id === userId) return { kind: 'unchanged', from }
    if (current !== undefined && startOf(current.valid_from) === from) {
      return { kind: 'conflict', from, organizationId: current.organization_id }
    }
    await tx.query(
      'insert into auth_mapping (auth_id, valid_from, organization_id, user_id) values ($1::text, $2::timestamptz, $3::uuid, $4::text)',
      [authId, sqlInstant(from), organizationId, userId],
    )
    const hours = await markHoursOf(tx, authId, from)
    await bumpPolicy(tx)
    return { kind: 'mapped', from, hours }
  })
}

async function defaultStart(tx: Queryable, authId: string): Promise<Start> {
  // The clock, not now(): that is when the transaction began, which may have been before another mapping was committed.
  const { rows } = await tx.query<{ at: number }>(
    `select case when exists (select from auth_mapping where auth_id = $1::text)
       then date_trunc('milliseconds', clock_timestamp()) else '-infinity' end as at`,
    [authId],
  )
  return startOf(rows[0]?.at ?? -Infinity)
}

async function mappingAt(tx: Queryable, authId: string, at: Start): Promise<MappingRow | undefined> {
  const { rows } = await tx.query<MappingRow>(
    `select valid_from, organization_id, user_id from auth_mapping
     where auth_id = $1::text and valid_from <= $2::timestamptz order by valid_from desc limit 1`,
    [authId, sqlInstant(at)],
  )
  return rows[0]
}

/** Marks the rated hours that a new mapping touches; what is not rated yet is dirty anyway. Every record of a rated hour is in `usage_hour`. */
async function markHoursOf(tx: Queryable, authId: string, from: Start): Promise<number> {
  const marked = await tx.query(
    `insert into dirty_hour (hour)
     select distinct hour from usage_hour
     where hashtextextended(auth_id, 0) = hashtextextended($1::text, 0) and auth_id = $1::text
       and last_instant >= $2::timestamptz
       and first_instant < coalesce(
         (select min(valid_from) from auth_mapping where auth_id = $1::text and valid_from > $2::timestamptz), 'infinity')`,
    [authId, sqlInstant(from)],
  )
  return marked.rowCount
}
