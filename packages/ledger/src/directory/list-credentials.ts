import type { Scope } from '@ascribe/identity'
import type { Queryable } from '@ascribe/postgres'
import { isUuid, parseInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import type { CredentialState } from '../credentials.ts'
import { knownScopes } from '../policy.ts'
import type { SecretEndCause } from './secrets.ts'

/** What proves a credential, as far as it may be shown. */
export type CredentialSecret = {
  /** The part of the key by which it is found. */
  readonly publicId: string
  readonly createdAt: Instant
  /** From then on it proves nothing; absent: no end is planned. */
  readonly endsAt?: Instant
  readonly endCause?: SecretEndCause
  /** Under which server secret it is stored; absent: nobody noted it. */
  readonly serverSecretId?: string
}

/** One of our API keys, as far as it may be shown. */
export type Credential = {
  /** What its usage is attributed to. */
  readonly authId: string
  /** Of its newest secret. */
  readonly publicId: string
  readonly name?: string
  readonly scopes: readonly Scope[]
  /** Whose it is now; absent: nobody's. */
  readonly organizationId?: string
  readonly userId?: string
  readonly groupId?: string
  readonly createdAt: Instant
  readonly revokedAt?: Instant
  /** When its last secret ends; absent: one has no end. */
  readonly expiresAt?: Instant
  readonly state: CredentialState
  /** Admission of the latest request that is rated; a request more recent by some seconds may not be yet. Absent: none is. */
  readonly lastUsedAt?: Instant
  /** The newest first. */
  readonly secrets: readonly CredentialSecret[]
}

type SecretJson = {
  readonly public_id: string
  readonly created_at: string
  readonly ends_at: string | null
  readonly cause: SecretEndCause | null
  readonly server_secret_id: string | null
}

type CredentialRow = {
  readonly auth_id: string
  readonly name: string | null
  readonly scopes: readonly string[]
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
  readonly created_at: number
  readonly revoked_at: number | null
  readonly last_instant: number | null
  readonly secrets: readonly SecretJson[]
  readonly now: number
  readonly cursor: string
}

const PAGE = 1000

// Last use is read where it stands already, the newest rated hour of the auth id: nothing is written for it when usage comes in.
// Indexes credential_created, credential_secret_auth, usage_hour_auth, and the primary keys of mappings and ends.
const SELECT = `
select c.auth_id, c.name, c.scopes, m.organization_id, m.user_id, m.group_id, c.created_at, c.revoked_at, u.last_instant, s.secrets,
  clock_timestamp() as now, c.created_at::text as cursor
from credential c
left join lateral (${mappingAtSql('c.auth_id', 'clock_timestamp()')}
) m on true
cross join lateral (
  select json_agg(json_build_object('public_id', s.public_id, 'created_at', s.created_at, 'ends_at', e.ends_at, 'cause', e.cause,
    'server_secret_id', s.server_secret_id) order by s.created_at desc, s.public_id) as secrets
  from credential_secret s
  left join lateral (select ends_at, cause from credential_secret_end e where e.public_id = s.public_id order by ends_at limit 1) e on true
  where s.auth_id = c.auth_id
) s
left join lateral (
  select last_instant from usage_hour u
  where hashtextextended(u.auth_id, 0) = hashtextextended(c.auth_id, 0) and u.auth_id = c.auth_id
  order by u.hour desc, u.last_instant desc limit 1
) u on true
where ($1::uuid is null or m.organization_id = $1::uuid)
  and ($2::timestamptz is null or (c.created_at, c.auth_id collate "C") > ($2::timestamptz, $3::text))
order by c.created_at, c.auth_id collate "C" limit ${PAGE}`

export type CredentialFilter = {
  /** Whose they are now. */
  readonly organizationId?: string
}

/** All credentials, ended ones too, oldest first; a page at a time, so that any number takes little memory. */
export async function* streamCredentials(db: Queryable, filter: CredentialFilter = {}): AsyncGenerator<Credential, void, undefined> {
  const { organizationId = null } = filter
  if (organizationId !== null && !isUuid(organizationId)) return
  let after: readonly [string, string] | undefined
  for (;;) {
    const { rows }: { readonly rows: readonly CredentialRow[] } = await db.query<CredentialRow>(SELECT, [
      organizationId,
      after?.[0] ?? null,
      after?.[1] ?? null,
    ])
    for (const row of rows) yield credentialOf(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = [last.cursor, last.auth_id]
  }
}

/** The same, all at once: for organizations whose keys are known to be few. */
export async function listCredentials(db: Queryable, filter: CredentialFilter = {}): Promise<readonly Credential[]> {
  return Array.fromAsync(streamCredentials(db, filter))
}

function credentialOf(row: CredentialRow): Credential {
  const secrets = row.secrets.map(secretOf)
  const ends = secrets.map(({ endsAt }) => endsAt)
  const expiresAt = ends.every((end) => end !== undefined) ? Math.max(...ends) : undefined
  return {
    authId: row.auth_id,
    publicId: secrets[0]?.publicId ?? '',
    ...(row.name !== null && { name: row.name }),
    scopes: knownScopes(row.scopes),
    ...(row.organization_id !== null && { organizationId: row.organization_id }),
    ...(row.user_id !== null && { userId: row.user_id }),
    ...(row.group_id !== null && { groupId: row.group_id }),
    createdAt: row.created_at,
    ...(row.revoked_at !== null && { revokedAt: row.revoked_at }),
    ...(expiresAt !== undefined && { expiresAt }),
    state: row.revoked_at !== null ? 'revoked' : expiresAt !== undefined && expiresAt <= row.now ? 'expired' : 'active',
    ...(row.last_instant !== null && { lastUsedAt: row.last_instant }),
    secrets,
  }
}

function secretOf(json: SecretJson): CredentialSecret {
  const createdAt = parseInstant(json.created_at)
  if (createdAt === undefined) throw new Error(`a secret was made at ${json.created_at}, which is no instant`)
  const endsAt = json.ends_at === null ? undefined : parseInstant(json.ends_at)
  return {
    publicId: json.public_id,
    createdAt,
    ...(endsAt !== undefined && { endsAt }),
    ...(json.cause !== null && { endCause: json.cause }),
    ...(json.server_secret_id !== null && { serverSecretId: json.server_secret_id }),
  }
}
