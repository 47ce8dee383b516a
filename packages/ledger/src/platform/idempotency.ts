import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { systemClock } from '@ascribe/kit'
import type { Clock } from '@ascribe/kit'
import type { ServerSecret } from '@ascribe/identity'
import type { Database } from '@ascribe/postgres'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'

export type IdempotencyOptions = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  /** How long an answer is kept, in milliseconds. Default: a day. */
  readonly ttlMs?: number
  /** An attempt that has not answered for so long has died; a repeat may then try again. Default: a minute. */
  readonly leaseMs?: number
  readonly clock?: Clock
}

export type IdempotentReply = { readonly status: number; readonly body: string }

export type IdempotentRequest = {
  readonly credentialId: string
  /** Of the client: 1 to 255 characters. */
  readonly key: string
  /** SHA-256 of what was asked: method, path and body; hex. */
  readonly requestHash: string
}

export type IdempotentBegin =
  /** Do it. `finish`: it was answered so. `abandon`: nothing was done, so that a repeat may try. */
  | { readonly kind: 'fresh'; finish(reply: IdempotentReply): Promise<void>; abandon(): Promise<void> }
  /** It was done; answer the same. */
  | ({ readonly kind: 'replay' } & IdempotentReply)
  /** It is being done: 409. */
  | { readonly kind: 'running' }
  /** The key was used for something else: 422. */
  | { readonly kind: 'conflict' }

/** Remembers what was answered, so that a request that is repeated under its Idempotency-Key is done once. */
export type Idempotency = { begin(request: IdempotentRequest): Promise<IdempotentBegin> }

const TTL_MS = 24 * 3_600_000
const LEASE_MS = 60_000
const KEY_MAX = 255
/** Old answers that go when a new one comes. */
const PRUNED_MAX = 100

type Row = {
  readonly request_sha256: Buffer
  readonly started_at: number
  readonly status: number | null
  readonly sealed_body: Buffer | null
}

/**
 * Opens the store. An attempt that died after its change and before its answer was stored is repeated after `leaseMs`: the change must then find
 * itself done, by a name or an id of the client's.
 */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const { db, ttlMs = TTL_MS, leaseMs = LEASE_MS, clock = systemClock } = options
  const secrets = Buffer.isBuffer(options.serverSecret) ? [options.serverSecret] : options.serverSecret

  async function begin({ credentialId, key, requestHash }: IdempotentRequest): Promise<IdempotentBegin> {
    if (key.length === 0 || key.length > KEY_MAX) {
      throw new LedgerInputError(`Cannot use the Idempotency-Key: it has to have 1 to ${KEY_MAX} characters`)
    }
    const keySha256 = createHash('sha256').update(key).digest()
    const id = [credentialId, keySha256]
    const requestSha256 = Buffer.from(requestHash, 'hex')
    const attempt = randomUUID()
    const now = clock()
    const claimed = await claim([...id, requestSha256, attempt, sqlInstant(now), sqlInstant(now + ttlMs), sqlInstant(now - leaseMs)])
    if (claimed) return fresh(id, attempt, { key, credentialId })
    const { rows } = await db.query<Row>(
      'select request_sha256, started_at, status, sealed_body from idempotent_request where credential_id = $1::uuid and key_sha256 = $2::bytea',
      id,
    )
    const [row] = rows
    // It was given up meanwhile; who repeats again finds the way free.
    if (row === undefined) return { kind: 'running' }
    if (!row.request_sha256.equals(requestSha256)) return { kind: 'conflict' }
    if (row.status === null || row.sealed_body === null) return { kind: 'running' }
    const body = unseal(row.sealed_body, { secrets, key, credentialId })
    // The server secret was replaced, and the one before it is not listed any more.
    return body === undefined ? { kind: 'conflict' } : { kind: 'replay', status: row.status, body }
  }

  /** The row is ours if there was none, if it has expired, or if the same request began long ago and never answered. */
  async function claim(values: readonly unknown[]): Promise<boolean> {
    const { rowCount } = await db.query(
      `insert into idempotent_request as i (credential_id, key_sha256, request_sha256, attempt, started_at, expires_at)
       values ($1::uuid, $2::bytea, $3::bytea, $4::uuid, $5::timestamptz, $6::timestamptz)
       on conflict (credential_id, key_sha256) do update
         set request_sha256 = excluded.request_sha256, attempt = excluded.attempt, started_at = excluded.started_at,
           expires_at = excluded.expires_at, status = null, sealed_body = null
         where i.expires_at <= $5::timestamptz
           or (i.status is null and i.started_at <= $7::timestamptz and i.request_sha256 = excluded.request_sha256)`,
      values,
    )
    if (rowCount === 0) return false
    await db.query(
      `delete from idempotent_request where ctid = any (array(
         select ctid from idempotent_request where expires_at <= $1::timestamptz order by expires_at limit ${PRUNED_MAX} for update skip locked))`,
      [values[4]],
    )
    return true
  }

  function fresh(id: readonly unknown[], attempt: string, seals: Pick<Sealing, 'key' | 'credentialId'>): IdempotentBegin {
    const mine = 'credential_id = $1::uuid and key_sha256 = $2::bytea and attempt = $3::uuid'
    return {
      kind: 'fresh',
      async finish({ status, body }) {
        await db.query(`update idempotent_request set status = $4::integer, sealed_body = $5::bytea where ${mine}`, [
          ...id,
          attempt,
          status,
          seal(body, { secrets, ...seals }),
        ])
      },
      async abandon() {
        await db.query(`delete from idempotent_request where ${mine}`, [...id, attempt])
      },
    }
  }

  return { begin }
}

type Sealing = { readonly secrets: readonly Buffer[]; readonly key: string; readonly credentialId: string }

const NONCE_BYTES = 12
const TAG_BYTES = 16

// AES-256-GCM under a key of the server secret and the client's key: who has the database alone reads no key that was shown once.
function cipherKey(secret: Buffer, { key, credentialId }: Pick<Sealing, 'key' | 'credentialId'>): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, credentialId, `ascribe idempotent reply 1 ${key}`, 32))
}

function seal(body: string, sealing: Sealing): Buffer {
  const [newest] = sealing.secrets
  if (newest === undefined) throw new LedgerInputError('Cannot keep an answer: there is no server secret')
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', cipherKey(newest, sealing), nonce)
  return Buffer.concat([nonce, cipher.update(body, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

function unseal(sealed: Buffer, sealing: Sealing): string | undefined {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const tag = sealed.subarray(sealed.length - TAG_BYTES)
  for (const secret of sealing.secrets) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', cipherKey(secret, sealing), nonce).setAuthTag(tag)
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]).toString()
    } catch {
      // Not under this one.
    }
  }
  return undefined
}
