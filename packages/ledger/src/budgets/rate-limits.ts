import { EACH, LIMIT_SCOPES } from '@ascribe/admission'
import type { LimitScope } from '@ascribe/admission'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { lockBudgets } from './set-budget.ts'

export type NewRateLimit = {
  readonly scope: LimitScope
  /** An auth id or an organization's id; `*`: each one that has no limit of its own. */
  readonly subject: string
  /** At least one of the two; the limit that is there is replaced as a whole. */
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  readonly by: string
  /** Take a subject that the directory does not know (yet). Default false. */
  readonly allowUnknown?: boolean
}

/** A rate limit as it was set. */
export type RateLimitState = {
  readonly id: string
  readonly scope: LimitScope
  readonly subject: string
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  readonly createdAt: Instant
  readonly createdBy: string
}

export type SetRateLimitOutcome =
  | { readonly kind: 'created' | 'changed'; readonly limitId: string }
  | { readonly kind: 'unchanged' | 'unknown_subject' }

const REQUESTS_MAX = 1_000_000_000
const TOKENS_MAX = 1_000_000_000_000

/** Sets the rate limit of a credential or an organization; gateways follow within about a second. @throws {LedgerInputError} */
export async function setRateLimit(db: Database, input: NewRateLimit): Promise<SetRateLimitOutcome> {
  const { scope, subject, requestsPerMinute = null, tokensPerMinute = null, by } = input
  check(input)
  return db.transaction(async (tx) => {
    await lockBudgets(tx)
    if (input.allowUnknown !== true && !(await isKnown(tx, scope, subject))) return { kind: 'unknown_subject' }
    const values = [scope, subject, requestsPerMinute, tokensPerMinute, by]
    const same = await tx.query(
      `select from rate_limit where scope = $1::text and subject = $2::text and ended_at is null
       and requests_per_minute is not distinct from $3::bigint and tokens_per_minute is not distinct from $4::bigint`,
      values.slice(0, 4),
    )
    if (same.rowCount > 0) return { kind: 'unchanged' }
    const ended = await end(tx, { scope, subject, by })
    const { rows } = await tx.query<{ limit_id: string }>(
      `insert into rate_limit (scope, subject, requests_per_minute, tokens_per_minute, created_by)
       values ($1::text, $2::text, $3::bigint, $4::bigint, $5::text) returning limit_id`,
      values,
    )
    return { kind: ended ? 'changed' : 'created', limitId: rows[0]?.limit_id ?? '' }
  })
}

/** Takes a rate limit away. */
export async function endRateLimit(
  db: Database,
  input: { readonly scope: LimitScope; readonly subject: string; readonly by: string },
): Promise<'ended' | 'unknown_limit'> {
  return db.transaction(async (tx) => {
    await lockBudgets(tx)
    return (await end(tx, input)) ? 'ended' : 'unknown_limit'
  })
}

type Row = {
  readonly limit_id: string
  readonly scope: LimitScope
  readonly subject: string
  readonly requests_per_minute: bigint | null
  readonly tokens_per_minute: bigint | null
  readonly created_at: number
  readonly created_by: string
}

/** The rate limits in force. */
export async function listRateLimits(db: Queryable): Promise<readonly RateLimitState[]> {
  const { rows } = await db.query<Row>(
    `select limit_id, scope, subject, requests_per_minute, tokens_per_minute, created_at, created_by
     from rate_limit where ended_at is null order by scope, subject collate "C"`,
  )
  return rows.map((row) => ({
    id: row.limit_id,
    scope: row.scope,
    subject: row.subject,
    ...(row.requests_per_minute !== null && { requestsPerMinute: Number(row.requests_per_minute) }),
    ...(row.tokens_per_minute !== null && { tokensPerMinute: Number(row.tokens_per_minute) }),
    createdAt: row.created_at,
    createdBy: row.created_by,
  }))
}

async function end(db: Queryable, { scope, subject, by }: { scope: string; subject: string; by: string }): Promise<boolean> {
  const ended = await db.query(
    `update rate_limit set ended_at = clock_timestamp(), ended_by = $3::text
     where scope = $1::text and subject = $2::text and ended_at is null`,
    [scope, subject, by],
  )
  return ended.rowCount > 0
}

async function isKnown(db: Queryable, scope: LimitScope, subject: string): Promise<boolean> {
  if (subject === EACH) return true
  if (scope === 'organization') {
    if (!isUuid(subject)) return false
    return (await db.query('select from organization where organization_id = $1::uuid', [subject])).rowCount > 0
  }
  return (await db.query('select from auth_mapping where auth_id = $1::text limit 1', [subject])).rowCount > 0
}

function check({ scope, subject, requestsPerMinute, tokensPerMinute }: NewRateLimit): void {
  const cannot = 'Cannot set the rate limit:'
  if (!LIMIT_SCOPES.includes(scope)) throw new LedgerInputError(`${cannot} its scope is none of ${LIMIT_SCOPES.join(', ')}`)
  if (subject === '' || subject.includes('\0') || Buffer.byteLength(subject) > 1024) {
    throw new LedgerInputError(`${cannot} its subject is empty, holds NUL or has more than 1024 bytes`)
  }
  if (requestsPerMinute === undefined && tokensPerMinute === undefined) {
    throw new LedgerInputError(`${cannot} it limits neither requests nor tokens`)
  }
  const isCount = (count: number | undefined, most: number): boolean =>
    count === undefined || (Number.isSafeInteger(count) && count >= 1 && count <= most)
  if (!isCount(requestsPerMinute, REQUESTS_MAX) || !isCount(tokensPerMinute, TOKENS_MAX)) {
    throw new LedgerInputError(`${cannot} requests are 1 to ${REQUESTS_MAX} a minute, tokens 1 to ${TOKENS_MAX}`)
  }
}
