import { createHash } from 'node:crypto'
import { systemClock } from '@ascribe/kit'
import type { Database, Queryable, Transaction } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'
import { isLetIn, lockActing, supportStanding } from '../support/standing.ts'
import type { SupportStanding } from '../support/standing.ts'
import { findActing } from './find.ts'
import { sessionOf } from './session.ts'
import type { ActingOperator, ActingSession, AuditOutcome, SessionRow } from './session.ts'

/** At most (R26). */
const ACTING_MINUTES_MAX = 60
const REASON_MAX = 1000
const TICKET_MAX = 200

export type StartOutcome =
  | { readonly kind: 'started'; readonly session: ActingSession }
  /** One at a time; it is never made longer. */
  | { readonly kind: 'already_active'; readonly session: ActingSession }
  /** The customer has to approve. `isNew`: the request was made now. */
  | { readonly kind: 'approval_required'; readonly supportRequestId: string; readonly isNew: boolean }
  | { readonly kind: 'unknown_organization' }

export type NewActing = {
  readonly operator: ActingOperator
  readonly organizationId: string
  readonly reason: string
  readonly ticket: string
  /** 1 to 60. */
  readonly minutes: number
  readonly now?: Instant
  readonly audit: AuditOutcome<StartOutcome>
}

/**
 * Lets an operator look at an organization, or asks the customer where the customer wants to be asked. Nothing of an older session goes over
 * into it: whoever looks on gives a reason again. @throws {LedgerInputError} reason, ticket or minutes will not do
 */
export async function startActing(db: Database, input: NewActing): Promise<StartOutcome> {
  const { operator, organizationId, minutes, now = systemClock(), audit } = input
  const reason = checkText('reason', input.reason, REASON_MAX)
  const ticket = checkText('ticket', input.ticket, TICKET_MAX)
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > ACTING_MINUTES_MAX) {
    throw new LedgerInputError(`Cannot start an acting session: ${minutes} minutes is not a whole number from 1 to ${ACTING_MINUTES_MAX}`)
  }
  return decide<StartOutcome>(db, { operator, organizationId, audit }, async (tx) => {
    const active = await findActing(tx, { operator, organizationId, now })
    if (active.kind === 'active') return { kind: 'already_active', session: active.session }
    const wish = { operator, organizationId, reason, ticket, minutes }
    return begin(tx, wish, { mode: 'required', startedAt: now, expiresAt: now + minutes * 60_000, now })
  })
}

/** Why an implied session was not begun. */
export type ImpliedOutcome = StartOutcome | { readonly kind: 'not_started'; readonly why: 'used' | 'expired' }

export type ImpliedActing = {
  readonly operator: ActingOperator
  readonly organizationId: string
  /**
   * What tells one assertion from another, when it was issued, and when the sign-in behind it ends. A proxy issues new ones for the same sign-in
   * every few minutes, with the same end: given that, they all count as one, or nobody would ever have to stop.
   */
  readonly assertion: { readonly id: string; readonly issuedAt: Instant; readonly expiresAt?: Instant }
  /** From when the assertion was issued; at most an hour. */
  readonly ttlMs: number
  readonly now?: Instant
  readonly audit: AuditOutcome<ImpliedOutcome>
}

const IMPLIED_REASON = 'implied by sign-in'

/**
 * The session of installations that ask for no reason: it begins when the operator's assertion was issued, so that the same assertion ends at the
 * same time at every organization, and one that has begun a session there never begins a second, ended or not; nor does a later one of that sign-in.
 */
export async function startImplied(db: Database, input: ImpliedActing): Promise<ImpliedOutcome> {
  const { operator, organizationId, assertion, now = systemClock(), audit } = input
  const ttlMs = Math.min(input.ttlMs, ACTING_MINUTES_MAX * 60_000)
  const { id, expiresAt: signInEndsAt } = assertion
  const identity = signInEndsAt === undefined ? id : JSON.stringify([operator.issuer, operator.name, signInEndsAt])
  const sha256 = createHash('sha256').update(identity).digest()
  // Of many requests that a page makes at once, one begins the session; nothing happens in the others, and they leave no line of it.
  const auditNews: typeof audit = async (tx, outcome) => (isNews(outcome) ? audit(tx, outcome) : undefined)
  return decide<ImpliedOutcome>(db, { operator, organizationId, audit: auditNews }, async (tx) => {
    const active = await findActing(tx, { operator, organizationId, now })
    if (active.kind === 'active') return { kind: 'already_active', session: active.session }
    const used = await tx.query('select from acting_session where assertion_sha256 = $1::bytea and organization_id = $2::uuid', [
      sha256,
      organizationId,
    ])
    if (used.rowCount > 0) return { kind: 'not_started', why: 'used' }
    const expiresAt = assertion.issuedAt + ttlMs
    // A clock ahead of ours must not make it longer.
    const startedAt = Math.min(assertion.issuedAt, now)
    if (expiresAt <= now || startedAt >= expiresAt) return { kind: 'not_started', why: 'expired' }
    const minutes = Math.max(1, Math.ceil(ttlMs / 60_000))
    const wish = { operator, organizationId, reason: IMPLIED_REASON, ticket: '', minutes }
    return begin(tx, wish, { mode: 'implied', startedAt, expiresAt: Math.min(expiresAt, startedAt + ttlMs), now, sha256 })
  })
}

function isNews(outcome: ImpliedOutcome): boolean {
  return outcome.kind === 'approval_required' ? outcome.isNew : outcome.kind !== 'already_active'
}

type Who<Outcome> = {
  readonly operator: ActingOperator
  readonly organizationId: string
  readonly audit: AuditOutcome<Outcome>
}

/** One at a time for each operator and organization, with the line of whatever comes of it. */
async function decide<Outcome>(
  db: Database,
  { operator, organizationId, audit }: Who<Outcome | { readonly kind: 'unknown_organization' }>,
  act: (tx: Transaction) => Promise<Outcome>,
): Promise<Outcome | { readonly kind: 'unknown_organization' }> {
  checkText('operator', operator.name, 1024)
  checkText('issuer', operator.issuer, 512)
  return db.transaction(async (tx) => {
    const known = isUuid(organizationId) && (await isOrganization(tx, organizationId))
    if (known) await lockActing(tx, organizationId, operator)
    const outcome = known ? await act(tx) : ({ kind: 'unknown_organization' } as const)
    await audit(tx, outcome)
    return outcome
  })
}

export async function isOrganization(db: Queryable, organizationId: string): Promise<boolean> {
  return (await db.query('select from organization where organization_id = $1::uuid', [organizationId])).rowCount > 0
}

type Wish = Pick<NewActing, 'operator' | 'organizationId' | 'reason' | 'ticket' | 'minutes'>
type Span = {
  readonly mode: ActingSession['mode']
  readonly startedAt: Instant
  readonly expiresAt: Instant
  readonly now: Instant
  readonly sha256?: Buffer
}

async function begin(tx: Queryable, wish: Wish, span: Span): Promise<StartOutcome> {
  const { operator, organizationId, reason, ticket } = wish
  const standing = await supportStanding(tx, { organizationId, operator, now: span.now })
  if (!isLetIn(standing)) return askCustomer(tx, wish, standing, span)
  // No session outlives what lets the operator in.
  const end = standing.requiresApproval ? Math.min(span.expiresAt, standing.coveredUntil ?? 0) : span.expiresAt
  const { rows } = await tx.query<SessionRow>(
    `insert into acting_session
       (organization_id, operator, issuer, roles, mode, reason, ticket, started_at, expires_at, assertion_sha256, support_request_id)
     values ($1::uuid, $2::text, $3::text, $4::text[], $5::text, $6::text, $7::text, $8::timestamptz, $9::timestamptz, $10::bytea, $11::uuid)
     returning *`,
    [
      organizationId,
      operator.name,
      operator.issuer,
      [...operator.roles],
      span.mode,
      reason,
      ticket,
      sqlInstant(span.startedAt),
      sqlInstant(end),
      span.sha256 ?? null,
      (standing.requiresApproval ? standing.approvedRequestId : undefined) ?? null,
    ],
  )
  const [row] = rows
  if (row === undefined) throw new Error('the session gave no row')
  return { kind: 'started', session: sessionOf(row) }
}

/**
 * One open request at a time: asking again changes nothing. And after a no nobody is asked again by a page that just loads: only by an operator
 * who says why.
 */
async function askCustomer(tx: Queryable, wish: Wish, { request }: SupportStanding, { mode, now }: Span): Promise<StartOutcome> {
  const isAnswered = request?.state === 'refused' || request?.state === 'revoked'
  if (request !== undefined && (request.state === 'pending' || (isAnswered && mode === 'implied')))
    return { kind: 'approval_required', supportRequestId: request.id, isNew: false }
  const { operator, organizationId, reason, ticket, minutes } = wish
  const { rows } = await tx.query<{ request_id: string }>(
    `insert into support_request (organization_id, operator, issuer, reason, ticket, minutes, requested_at)
     values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::integer, $7::timestamptz) returning request_id`,
    [organizationId, operator.name, operator.issuer, reason, ticket, minutes, sqlInstant(now)],
  )
  return { kind: 'approval_required', supportRequestId: rows[0]?.request_id ?? '', isNew: true }
}

/** Trimmed; it has to say something, and on one page. */
function checkText(what: string, text: string, max: number): string {
  const trimmed = text.trim()
  const fault =
    trimmed === ''
      ? 'is missing'
      : trimmed.length > max
        ? `has more than ${max} characters`
        : trimmed.includes('\0')
          ? 'holds NUL'
          : undefined
  if (fault !== undefined) throw new LedgerInputError(`Cannot start an acting session: the ${what} ${fault}`)
  return trimmed
}
