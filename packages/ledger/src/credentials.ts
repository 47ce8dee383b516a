import type { Scope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { mappingAtSql } from './attribution-sql.ts'
import { groupElsewhere } from './directory/group-owner.ts'
import { checkId } from './directory/ids.ts'
import { endSecrets } from './directory/secrets.ts'
import { bumpPolicy, knownScopes } from './policy.ts'

export type NewSecret = {
  readonly publicId: string
  /** HMAC-SHA-256 of the key, base64url; the key itself never comes here. */
  readonly hmac: string
  /** Under which server secret, see `serverSecretId` of identity. */
  readonly serverSecretId?: string
}

export type NewCredential = NewSecret & {
  readonly organizationId: string
  /** Who uses it, and in which group of the organization. */
  readonly userId?: string
  readonly groupId?: string
  readonly scopes: readonly Scope[]
  readonly name?: string
  /** From then on the key lets nobody in. Default: no end. */
  readonly expiresAt?: Instant
  readonly recordedBy?: string
}

export type CreateCredentialOutcome =
  | { readonly kind: 'created'; readonly authId: string }
  | { readonly kind: 'unknown_organization' | 'public_id_taken' | 'group_elsewhere' }

/** What an API needs to know of a key that it was shown. */
export type CredentialProof = {
  readonly authId: string
  readonly hmac: string
  readonly scopes: readonly Scope[]
  /** Whose it is now; absent: nobody's. */
  readonly organizationId?: string
  readonly state: CredentialState
}

export type CredentialState = 'active' | 'expired' | 'revoked'

// Both in one statement: the trigger that gives a credential its secret, for older programs, comes after it and finds the secret there.
const INSERT_CREDENTIAL = `
with made as (
  insert into credential (auth_id, public_id, hmac, name, scopes)
  select gen_random_uuid()::text, $1::text, $2::text, $3::text, $4::text[]
  where not exists (select from credential_secret where public_id = $1::text)
  on conflict (public_id) do nothing returning auth_id
)
insert into credential_secret (public_id, auth_id, hmac, server_secret_id, created_by)
select $1::text, auth_id, $2::text, $5::text, $6::text from made returning auth_id`

/**
 * Makes a credential and its mapping to the organization, from the beginning of time: nothing can have been used with it
 * before. So no hour becomes dirty and nobody waits for the rater. @throws {LedgerInputError}
 */
export async function createCredential(db: Database, input: NewCredential): Promise<CreateCredentialOutcome> {
  const { organizationId, userId = null, groupId = null, publicId, hmac, scopes, name = null, expiresAt, recordedBy = null } = input
  if (userId !== null) checkId('user id', userId)
  if (groupId !== null) checkId('group id', groupId)
  if (!isUuid(organizationId)) return { kind: 'unknown_organization' }
  return db.transaction(async (tx) => {
    const organization = await tx.query('select from organization where organization_id = $1::uuid', [organizationId])
    if (organization.rowCount === 0) return { kind: 'unknown_organization' }
    if (groupId !== null && (await groupElsewhere(tx, groupId, organizationId)) !== undefined) return { kind: 'group_elsewhere' }
    const { rows } = await tx.query<{ auth_id: string }>(INSERT_CREDENTIAL, [
      publicId,
      hmac,
      name,
      [...scopes],
      input.serverSecretId ?? null,
      recordedBy,
    ])
    const authId = rows[0]?.auth_id
    if (authId === undefined) return { kind: 'public_id_taken' }
    await tx.query(
      `insert into auth_mapping (auth_id, valid_from, organization_id, user_id, group_id, recorded_by)
       values ($1::text, '-infinity', $2::uuid, $3::text, $4::text, $5::text)`,
      [authId, organizationId, userId, groupId, recordedBy],
    )
    if (expiresAt !== undefined) await endSecrets(tx, { publicIds: [publicId], at: expiresAt, cause: 'expiry', recordedBy })
    await bumpPolicy(tx, { keys: [authId], dueAt: expiresAt === undefined ? [] : [expiresAt] })
    return { kind: 'created', authId }
  })
}

/** Ends a credential with all its secrets, for ever. What it used stays attributed. */
export async function revokeCredential(db: Database, authId: string): Promise<'revoked' | 'already_revoked' | 'unknown'> {
  if (authId.includes('\0')) return 'unknown'
  return db.transaction(async (tx) => {
    const revoked = await tx.query('update credential set revoked_at = clock_timestamp() where auth_id = $1::text and revoked_at is null', [
      authId,
    ])
    if (revoked.rowCount === 1) {
      await bumpPolicy(tx, { keys: [authId] })
      return 'revoked'
    }
    const known = await tx.query('select from credential where auth_id = $1::text', [authId])
    return known.rowCount === 0 ? 'unknown' : 'already_revoked'
  })
}

const FIND = `
select c.auth_id, s.hmac, c.scopes, m.organization_id,
  case when c.revoked_at is not null then 'revoked'
    when exists (select from credential_secret_end e where e.public_id = s.public_id and e.ends_at <= clock_timestamp()) then 'expired'
    else 'active' end as state
from credential_secret s
join credential c on c.auth_id = s.auth_id
left join lateral (${mappingAtSql('c.auth_id', 'clock_timestamp()')}
) m on true
where s.public_id = $1::text`

type ProofRow = {
  readonly auth_id: string
  readonly hmac: string
  readonly scopes: readonly string[]
  readonly organization_id: string | null
  readonly state: CredentialState
}

/** The credential with this public id, with the HMAC that proves that very key; ended ones too. */
export async function findCredentialByPublicId(db: Queryable, publicId: string): Promise<CredentialProof | undefined> {
  if (publicId.includes('\0')) return undefined
  const { rows } = await db.query<ProofRow>(FIND, [publicId])
  const [row] = rows
  if (row === undefined) return undefined
  return {
    authId: row.auth_id,
    hmac: row.hmac,
    scopes: knownScopes(row.scopes),
    ...(row.organization_id !== null && { organizationId: row.organization_id }),
    state: row.state,
  }
}
