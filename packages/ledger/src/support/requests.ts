import { createHash } from 'node:crypto'
import { systemClock } from '@ascribe/kit'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import type { AuditOutcome } from '../acting/session.ts'
import { sqlInstant } from '../instants.ts'
import { checkUntil } from './policy.ts'
import { endSessionsOf } from './revoke.ts'
import { lockActing, stateOf } from './standing.ts'
import type { RequestState } from './standing.ts'

/** What an operator asked of a customer, and what came of it. */
export type SupportRequest = {
  /** UUID. */
  readonly id: string
  readonly organizationId: string
  readonly operator: string
  readonly issuer: string
  readonly reason: string
  readonly ticket: string
  readonly minutes: number
  readonly requestedAt: Instant
  readonly state: RequestState
  /** Of an approved one: how long the operator may begin sessions. */
  readonly until?: Instant
  readonly decidedAt?: Instant
  readonly decidedBy?: string
}

type Row = {
  readonly request_id: string
  readonly organization_id: string
  readonly operator: string
  readonly issuer: string
  readonly reason: string
  readonly ticket: string
  readonly minutes: number
  readonly requested_at: number
  readonly cursor_at: string
  readonly decision: 'approve' | 'refuse' | 'revoke' | null
  readonly until: number | null
  readonly decided_at: number | null
  readonly decided_by: string | null
}

const SELECT = `
select r.request_id, r.organization_id, r.operator, r.issuer, r.reason, r.ticket, r.minutes, r.requested_at, r.requested_at::text as cursor_at,
  d.decision, d.until, d.decided_at, d.decided_by
from support_request r
left join lateral (select * from support_decision d where d.request_id = r.request_id order by sequence desc limit 1) d on true
where r.organization_id = $1::uuid`

const LIMIT = 100
const LIMIT_MAX = 1000

export type SupportRequestPage = { readonly requests: readonly SupportRequest[]; readonly nextCursor?: string }

/** The requests to one customer, newest first. A cursor of another one is `'bad_cursor'`. */
export async function listSupportRequests(
  db: Queryable,
  query: { readonly organizationId: string; readonly cursor?: string; readonly limit?: number; readonly now?: Instant },
): Promise<SupportRequestPage | 'bad_cursor'> {
  const { organizationId, cursor, limit = LIMIT, now = systemClock() } = query
  if (!isUuid(organizationId)) return { requests: [] }
  const before = cursor === undefined ? undefined : readCursor(organizationId, cursor)
  if (cursor !== undefined && before === undefined) return 'bad_cursor'
  const count = Math.min(Math.max(Math.trunc(limit), 1), LIMIT_MAX)
  const { rows } = await db.query<Row>(
    `${SELECT} and ($2::timestamptz is null or (r.requested_at, r.request_id) < ($2::timestamptz, $3::uuid))
     order by r.requested_at desc, r.request_id desc limit $4::integer`,
    [organizationId, before?.at ?? null, before?.id ?? null, count + 1],
  )
  const page = rows.slice(0, count)
  const last = page.at(-1)
  return {
    requests: page.map((row) => requestOf(row, now)),
    ...(rows.length > count && last !== undefined && { nextCursor: makeCursor(organizationId, last) }),
  }
}

// Like those of the access log: they say whose they are, and give no right.
function makeCursor(organizationId: string, { cursor_at: at, request_id: id }: Row): string {
  return Buffer.from(`${markOf(organizationId)}.${at}.${id}`).toString('base64url')
}

function readCursor(organizationId: string, cursor: string): { readonly at: string; readonly id: string } | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  const [, mark, at, id] = /^([\w-]{22})\.(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00)\.([0-9a-f-]{36})$/.exec(text) ?? []
  if (mark !== markOf(organizationId) || at === undefined || id === undefined || !isUuid(id)) return undefined
  // A date that is none must not get as far as the database.
  return Number.isNaN(Date.parse(at.replace(' ', 'T').replace('+00', 'Z'))) ? undefined : { at, id }
}

function markOf(organizationId: string): string {
  return createHash('sha256').update(`support requests ${organizationId}`).digest('base64url').slice(0, 22)
}

export type DecideOutcome =
  | { readonly kind: 'decided'; readonly request: SupportRequest }
  | { readonly kind: 'unknown' }
  /** It has been answered, or nobody waits for it any more. */
  | { readonly kind: 'not_possible'; readonly state: RequestState }

export type Decision = {
  readonly organizationId: string
  readonly requestId: string
  readonly decision: 'approve' | 'refuse' | 'revoke'
  /** Of an approval; default: a day, at most 30. */
  readonly until?: Instant
  readonly by: string
  readonly now?: Instant
  readonly audit: AuditOutcome<DecideOutcome>
}

const APPROVED_FOR_MS = 24 * 3_600_000

/** Answers a request. Revoking ends what the operator runs at once, and the next request of the operator is refused. @throws {LedgerInputError} */
export async function decideSupportRequest(db: Database, input: Decision): Promise<DecideOutcome> {
  const { organizationId, requestId, decision, by, now = systemClock(), audit } = input
  const until = decision === 'approve' ? (input.until ?? now + APPROVED_FOR_MS) : undefined
  if (until !== undefined) checkUntil(until, now)
  return db.transaction(async (tx) => {
    const outcome = await decide(tx, { organizationId, requestId, decision, until, by, now })
    await audit(tx, outcome)
    return outcome
  })
}

type Deciding = Pick<Decision, 'organizationId' | 'requestId' | 'decision' | 'by'> & {
  readonly until: Instant | undefined
  readonly now: Instant
}

async function decide(tx: Queryable, { organizationId, requestId, decision, until, by, now }: Deciding): Promise<DecideOutcome> {
  const asked = await readRequest(tx, { organizationId, requestId, now })
  if (asked === undefined) return { kind: 'unknown' }
  const operator = { name: asked.operator, issuer: asked.issuer }
  await lockActing(tx, organizationId, operator)
  // Again, because somebody may have answered while we waited.
  const state = (await readRequest(tx, { organizationId, requestId, now }))?.state ?? asked.state
  if (!(decision === 'revoke' ? ['pending', 'approved'] : ['pending']).includes(state)) return { kind: 'not_possible', state }
  await tx.query(
    `insert into support_decision (request_id, decision, until, decided_at, decided_by)
     values ($1::uuid, $2::text, $3::timestamptz, $4::timestamptz, $5::text)`,
    [requestId, decision, until === undefined ? null : sqlInstant(until), sqlInstant(now), by],
  )
  if (decision === 'revoke') await endSessionsOf(tx, operator, { organizationId, by, now })
  const request = await readRequest(tx, { organizationId, requestId, now })
  return request === undefined ? { kind: 'unknown' } : { kind: 'decided', request }
}

async function readRequest(
  tx: Queryable,
  { organizationId, requestId, now }: { readonly organizationId: string; readonly requestId: string; readonly now: Instant },
): Promise<SupportRequest | undefined> {
  if (!isUuid(organizationId) || !isUuid(requestId)) return undefined
  const { rows } = await tx.query<Row>(`${SELECT} and r.request_id = $2::uuid`, [organizationId, requestId])
  return rows.map((row) => requestOf(row, now))[0]
}

function requestOf(row: Row, now: Instant): SupportRequest {
  return {
    id: row.request_id,
    organizationId: row.organization_id,
    operator: row.operator,
    issuer: row.issuer,
    reason: row.reason,
    ticket: row.ticket,
    minutes: row.minutes,
    requestedAt: row.requested_at,
    state: stateOf(row.decision, row.requested_at, now),
    ...(row.until !== null && { until: row.until }),
    ...(row.decided_at !== null && { decidedAt: row.decided_at }),
    ...(row.decided_by !== null && { decidedBy: row.decided_by }),
  }
}
