import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import type { NewSecret } from '../credentials.ts'
import { sqlInstant } from '../instants.ts'
import { bumpPolicy } from '../policy.ts'
import { directoryNow } from './timeline.ts'

/** Why a secret stops proving its credential. */
export type SecretEndCause = 'expiry' | 'rotation' | 'revocation'

export type Rotation = NewSecret & {
  readonly authId: string
  /** How long the secrets before go on working beside the new one, in milliseconds; 0: not at all. */
  readonly overlapMs: number
  /** When the new secret ends. Default: it lives as long as the one before it was meant to; `never`: no end. */
  readonly expiresAt?: Instant | 'never'
  readonly recordedBy?: string
}

export type RotateOutcome =
  /** Until `oldEndsAt` the secrets before prove the credential too; absent: none of them did any more. */
  | { readonly kind: 'rotated'; readonly oldEndsAt?: Instant; readonly expiresAt?: Instant }
  | { readonly kind: 'unknown' | 'revoked' | 'public_id_taken' }

const LIVING = `
select s.public_id, e.ends_at, x.lifetime_ms
from credential_secret s
left join lateral (select min(ends_at) as ends_at from credential_secret_end e where e.public_id = s.public_id) e on true
left join lateral (
  select (extract(epoch from min(ends_at) - s.created_at) * 1000)::bigint as lifetime_ms
  from credential_secret_end x where x.public_id = s.public_id and x.cause = 'expiry'
) x on true
where s.auth_id = $1::text
order by s.created_at desc, s.public_id`

/**
 * Gives a credential a new secret, and the ones before it an end. Two at once take their turns: both new secrets work, and the first of
 * them ends after the overlap of the second.
 */
export async function rotateCredential(db: Database, rotation: Rotation): Promise<RotateOutcome> {
  const { authId, publicId, hmac, serverSecretId = null, overlapMs, recordedBy = null } = rotation
  if (authId.includes('\0')) return { kind: 'unknown' }
  return db.transaction(async (tx) => {
    const credential = await tx.query<{ revoked: boolean }>(
      'select revoked_at is not null as revoked from credential where auth_id = $1::text for update',
      [authId],
    )
    const [found] = credential.rows
    if (found === undefined) return { kind: 'unknown' }
    if (found.revoked) return { kind: 'revoked' }
    const before = await tx.query<{ public_id: string; ends_at: number | null; lifetime_ms: bigint | null }>(LIVING, [authId])
    const now = await directoryNow(tx)
    const inserted = await tx.query(
      `insert into credential_secret (public_id, auth_id, hmac, server_secret_id, created_by)
       values ($1::text, $2::text, $3::text, $4::text, $5::text) on conflict (public_id) do nothing`,
      [publicId, authId, hmac, serverSecretId, recordedBy],
    )
    if (inserted.rowCount === 0) return { kind: 'public_id_taken' }
    const oldEndsAt = now + overlapMs
    const living = before.rows.filter(({ ends_at: endsAt }) => endsAt === null || endsAt > now)
    await endSecrets(tx, {
      publicIds: living.filter(({ ends_at: endsAt }) => endsAt === null || endsAt > oldEndsAt).map((row) => row.public_id),
      at: oldEndsAt,
      cause: 'rotation',
      recordedBy,
    })
    const expiresAt = endOfNew(rotation, now, before.rows[0]?.lifetime_ms ?? null)
    if (expiresAt !== undefined) await endSecrets(tx, { publicIds: [publicId], at: expiresAt, cause: 'expiry', recordedBy })
    await bumpPolicy(tx, { keys: [authId], dueAt: [oldEndsAt, ...(expiresAt === undefined ? [] : [expiresAt])] })
    const lastEnd = living.reduce((last, { ends_at: endsAt }) => Math.max(last, Math.min(endsAt ?? oldEndsAt, oldEndsAt)), -Infinity)
    return {
      kind: 'rotated',
      ...(lastEnd !== -Infinity && { oldEndsAt: lastEnd }),
      ...(expiresAt !== undefined && { expiresAt }),
    }
  })
}

function endOfNew({ expiresAt }: Rotation, now: Instant, lifetimeMs: bigint | null): Instant | undefined {
  if (expiresAt === 'never') return undefined
  if (expiresAt !== undefined) return expiresAt
  return lifetimeMs === null ? undefined : now + Number(lifetimeMs)
}

/** Ends one secret of a credential at once, and leaves its others: the one that leaked. */
export async function revokeSecret(
  db: Database,
  secret: { readonly authId: string; readonly publicId: string; readonly recordedBy?: string },
): Promise<'revoked' | 'already_ended' | 'unknown'> {
  const { authId, publicId, recordedBy = null } = secret
  if (authId.includes('\0') || publicId.includes('\0')) return 'unknown'
  return db.transaction(async (tx) => {
    const known = await tx.query('select from credential where auth_id = $1::text for update', [authId])
    const found = await tx.query<{ ended: boolean }>(
      `select exists (select from credential_secret_end e where e.public_id = s.public_id and e.ends_at <= clock_timestamp()) as ended
       from credential_secret s where s.auth_id = $1::text and s.public_id = $2::text`,
      [authId, publicId],
    )
    const [row] = found.rows
    if (known.rowCount === 0 || row === undefined) return 'unknown'
    if (row.ended) return 'already_ended'
    await endSecrets(tx, { publicIds: [publicId], at: await directoryNow(tx), cause: 'revocation', recordedBy })
    await bumpPolicy(tx, { keys: [authId] })
    return 'revoked'
  })
}

/** Says when secrets end. The earliest word counts, so that none ever lives longer for what is said later. */
export async function endSecrets(
  tx: Queryable,
  end: { readonly publicIds: readonly string[]; readonly at: Instant; readonly cause: SecretEndCause; readonly recordedBy: string | null },
): Promise<void> {
  if (end.publicIds.length === 0) return
  await tx.query(
    `insert into credential_secret_end (public_id, ends_at, cause, recorded_by)
     select unnest($1::text[]), $2::timestamptz, $3::text, $4::text on conflict (public_id, ends_at) do nothing`,
    [[...end.publicIds], sqlInstant(end.at), end.cause, end.recordedBy],
  )
}
