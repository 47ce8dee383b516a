import { randomBytes } from 'node:crypto'
import { systemClock } from '@ascribe/kit'
import { apiKeyHmac, isApiKey, serverSecretId } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'

/** What a platform's automation may do at the admin listener. Who may write may read. */
export type PlatformScope = 'platform:read' | 'platform:write'
export const PLATFORM_SCOPES: readonly PlatformScope[] = ['platform:read', 'platform:write']

export type PlatformCredential = {
  /** UUID. */
  readonly id: string
  readonly name: string
  readonly publicId: string
  readonly scopes: readonly PlatformScope[]
  readonly createdAt: Instant
  readonly createdBy: string
  readonly expiresAt?: Instant
  /** To the minute. */
  readonly lastUsedAt?: Instant
  readonly endedAt?: Instant
  readonly endedBy?: string
}

export type NewPlatformCredential = {
  readonly name: string
  /** Default: both. */
  readonly scopes?: readonly PlatformScope[]
  readonly expiresAt?: Instant
  readonly by: string
  readonly now?: Instant
  readonly audit?: (tx: Queryable, made: { readonly id: string }) => Promise<unknown>
}

/** A credential that was just made; its key is shown once and stored nowhere. */
export type MadePlatformCredential = { readonly id: string; readonly publicId: string; readonly key: string }

// asp_<12 hex digits to find it by>_<48 hex digits: 192 random bits>. Not the prefix of API keys: neither is ever taken for the other.
const SHAPE = /^asp_([0-9a-f]{12})_[0-9a-f]{48}$/

/** Makes a key for the admin listener, under the newest server secret. @throws {LedgerInputError} */
export async function createPlatformCredential(
  db: Database,
  serverSecret: ServerSecret,
  input: NewPlatformCredential,
): Promise<MadePlatformCredential> {
  const { scopes = PLATFORM_SCOPES, expiresAt, by, now = systemClock() } = input
  const name = input.name.trim()
  const fault =
    name === '' || name.length > 200 || name.includes('\0')
      ? 'its name is empty or longer than 200 characters'
      : scopes.length === 0
        ? 'it would be allowed nothing'
        : expiresAt !== undefined && expiresAt <= now
          ? 'it would have expired already'
          : undefined
  if (fault !== undefined) throw new LedgerInputError(`Cannot make a platform credential: ${fault}`)
  const newest = Buffer.isBuffer(serverSecret) ? serverSecret : serverSecret[0]
  if (newest === undefined) throw new LedgerInputError('Cannot make a platform credential: there is no server secret')
  const publicId = randomBytes(6).toString('hex')
  const key = `asp_${publicId}_${randomBytes(24).toString('hex')}`
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ credential_id: string }>(
      `insert into platform_credential (public_id, hmac, server_secret_id, name, scopes, created_at, created_by, expires_at)
       values ($1::text, $2::text, $3::text, $4::text, $5::text[], $6::timestamptz, $7::text, $8::timestamptz) returning credential_id`,
      [
        publicId,
        apiKeyHmac(key, newest),
        serverSecretId(newest),
        name,
        [...new Set(scopes)].toSorted(),
        sqlInstant(now),
        by,
        expiresAt === undefined ? null : sqlInstant(expiresAt),
      ],
    )
    const id = rows[0]?.credential_id ?? ''
    await input.audit?.(tx, { id })
    return { id, publicId, key }
  })
}

export type ProvenPlatformKey =
  | { readonly kind: 'proven'; readonly credentialId: string; readonly name: string; readonly scopes: readonly PlatformScope[] }
  | { readonly kind: 'unknown' | 'ended' }

/** A key that is in use is noted once in this time. */
const USE_EVERY_MS = 60_000

/** Whose key this is. `ended`: it was revoked, or its time is up. */
export async function provePlatformKey(
  db: Queryable,
  serverSecret: ServerSecret,
  { key, now = systemClock() }: { readonly key: string; readonly now?: Instant },
): Promise<ProvenPlatformKey> {
  const publicId = SHAPE.exec(key)?.[1]
  if (publicId === undefined) return { kind: 'unknown' }
  const { rows } = await db.query<CredentialRow & { readonly hmac: string }>(`${SELECT} where c.public_id = $1::text`, [publicId])
  const [row] = rows
  if (row === undefined || !isApiKey(key, row.hmac, serverSecret)) return { kind: 'unknown' }
  if (row.ended_at !== null || (row.expires_at !== null && row.expires_at <= now)) return { kind: 'ended' }
  if (row.used_at === null || row.used_at + USE_EVERY_MS <= now) {
    await db.query(
      `insert into platform_credential_use (credential_id, used_at) values ($1::uuid, $2::timestamptz)
       on conflict (credential_id) do update set used_at = greatest(excluded.used_at, platform_credential_use.used_at)`,
      [row.credential_id, sqlInstant(now)],
    )
  }
  return { kind: 'proven', credentialId: row.credential_id, name: row.name, scopes: knownScopes(row.scopes) }
}

type CredentialRow = {
  readonly credential_id: string
  readonly public_id: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly created_at: number
  readonly created_by: string
  readonly expires_at: number | null
  readonly used_at: number | null
  readonly ended_at: number | null
  readonly ended_by: string | null
}

const SELECT = `
select c.credential_id, c.public_id, c.hmac, c.name, c.scopes, c.created_at, c.created_by, c.expires_at, u.used_at, e.ended_at, e.ended_by
from platform_credential c
left join platform_credential_use u on u.credential_id = c.credential_id
left join platform_credential_end e on e.credential_id = c.credential_id`

/** All, ended ones too, oldest first. There are few: one for each automation. */
export async function listPlatformCredentials(db: Queryable): Promise<readonly PlatformCredential[]> {
  const { rows } = await db.query<CredentialRow>(`${SELECT} order by c.created_at, c.credential_id`)
  return rows.map((row) => ({
    id: row.credential_id,
    name: row.name,
    publicId: row.public_id,
    scopes: knownScopes(row.scopes),
    createdAt: row.created_at,
    createdBy: row.created_by,
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    ...(row.used_at !== null && { lastUsedAt: row.used_at }),
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.ended_by !== null && { endedBy: row.ended_by }),
  }))
}

/** Ends a credential, for ever. */
export async function revokePlatformCredential(
  db: Database,
  input: {
    readonly id: string
    readonly by: string
    readonly now?: Instant
    readonly audit?: (tx: Queryable, outcome: 'revoked' | 'already_revoked' | 'unknown') => Promise<unknown>
  },
): Promise<'revoked' | 'already_revoked' | 'unknown'> {
  const { id, by, now = systemClock() } = input
  if (!isUuid(id)) return 'unknown'
  return db.transaction(async (tx) => {
    const known = await tx.query('select from platform_credential where credential_id = $1::uuid', [id])
    const ended =
      known.rowCount === 0
        ? undefined
        : await tx.query(
            `insert into platform_credential_end (credential_id, ended_at, ended_by) values ($1::uuid, $2::timestamptz, $3::text)
             on conflict do nothing`,
            [id, sqlInstant(now), by],
          )
    const outcome = ended === undefined ? 'unknown' : ended.rowCount === 1 ? 'revoked' : 'already_revoked'
    await input.audit?.(tx, outcome)
    return outcome
  })
}

function knownScopes(scopes: readonly string[]): readonly PlatformScope[] {
  return PLATFORM_SCOPES.filter((scope) => scopes.includes(scope))
}
