import type { Scope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import { bumpPolicy, knownScopes } from './policy.ts'

/** One of our API keys, as far as it may be shown. */
export type Credential = {
  /** What its usage is attributed to. */
  readonly authId: string
  /** The part of the key by which it is found; may be shown. */
  readonly publicId: string
  readonly name?: string
  readonly scopes: readonly Scope[]
  /** Whose it is now. */
  readonly organizationId: string
  /** UTC epoch milliseconds. */
  readonly createdAt: number
  readonly revokedAt?: number
}

export type NewCredential = {
  readonly organizationId: string
  readonly publicId: string
  /** HMAC-SHA-256 of the key, base64url; the key itself never comes here. */
  readonly hmac: string
  readonly scopes: readonly Scope[]
  readonly name?: string
}

export type CreateCredentialOutcome =
  | { readonly kind: 'created'; readonly authId: string }
  | { readonly kind: 'unknown_organization' | 'public_id_taken' }

type CredentialRow = {
  readonly auth_id: string
  readonly public_id: string
  readonly hmac: string
  readonly name: string | null
  readonly scopes: readonly string[]
  readonly organization_id: string
  readonly created_at: number
  readonly revoked_at: number | null
}

const SELECT = `
select c.auth_id, c.public_id, c.hmac, c.name, c.scopes, m.organization_id, c.created_at, c.revoked_at
from credential c
cross join lateral (
  select organization_id from auth_mapping m
  where m.auth_id = c.auth_id and m.valid_from <= now()
  order by m.valid_from desc limit 1
) m`

/**
 * Makes a credential and its mapping to the organization, from the beginning of time: nothing can have been used with it
 * before. So no hour becomes dirty and nobody waits for the rater.
 */
export async function createCredential(db: Database, input: NewCredential): Promise<CreateCredentialOutcome> {
  const { organizationId, publicId, hmac, scopes, name = null } = input
  if (!isUuid(organizationId)) return { kind: 'unknown_organization' }
  return db.transaction(async (tx) => {
    const organization = await tx.query('select from organization where organization_id = $1::uuid', [organizationId])
    if (organization.rowCount === 0) return { kind: 'unknown_organization' }
    const { rows } = await tx.query<{ auth_id: string }>(
      `insert into credential (auth_id, public_id, hmac, name, scopes) values (gen_random_uuid()::text, $1::text, $2::text, $3::text, $4::text[])
       on conflict (public_id) do nothing returning auth_id`,
      [publicId, hmac, name, [...scopes]],
    )
    const authId = rows[0]?.auth_id
    if (authId === undefined) return { kind: 'public_id_taken' }
    await tx.query("insert into auth_mapping (auth_id, valid_from, organization_id) values ($1::text, '-infinity', $2::uuid)", [
      authId,
      organizationId,
    ])
    await bumpPolicy(tx)
    return { kind: 'created', authId }
  })
}

/** Ends a credential, for ever. What it used stays attributed. */
export async function revokeCredential(db: Database, authId: string): Promise<'revoked' | 'already_revoked' | 'unknown'> {
  if (authId.includes('\0')) return 'unknown'
  return db.transaction(async (tx) => {
    const revoked = await tx.query('update credential set revoked_at = now() where auth_id = $1::text and revoked_at is null', [authId])
    if (revoked.rowCount === 1) {
      await bumpPolicy(tx)
      return 'revoked'
    }
    const known = await tx.query('select from credential where auth_id = $1::text', [authId])
    return known.rowCount === 0 ? 'unknown' : 'already_revoked'
  })
}

/** All credentials, revoked ones too, or those that belong to an organization now; oldest first. */
export async function listCredentials(db: Queryable, filter: { readonly organizationId?: string } = {}): Promise<readonly Credential[]> {
  const { organizationId = null } = filter
  if (organizationId !== null && !isUuid(organizationId)) return []
  const { rows } = await db.query<CredentialRow>(
    `${SELECT} where $1::uuid is null or m.organization_id = $1::uuid order by c.created_at, c.auth_id collate "C"`,
    [organizationId],
  )
  return rows.map(credentialOf)
}

/** The credential with this public id, with the HMAC that proves its key; revoked ones too. */
export async function findCredentialByPublicId(
  db: Queryable,
  publicId: string,
): Promise<(Credential & { readonly hmac: string }) | undefined> {
  if (publicId.includes('\0')) return undefined
  const { rows } = await db.query<CredentialRow>(`${SELECT} where c.public_id = $1::text`, [publicId])
  const [row] = rows
  return row === undefined ? undefined : { ...credentialOf(row), hmac: row.hmac }
}

function credentialOf(row: CredentialRow): Credential {
  return {
    authId: row.auth_id,
    publicId: row.public_id,
    ...(row.name === null ? {} : { name: row.name }),
    scopes: knownScopes(row.scopes),
    organizationId: row.organization_id,
    createdAt: row.created_at,
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
  }
}
