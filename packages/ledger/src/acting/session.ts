import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'

/** Whom a proxy vouched for. */
export type ActingOperator = { readonly name: string; readonly issuer: string; readonly roles: readonly string[] }

/** An operator looks at an organization, for a reason, for at most an hour. The browser carries nothing of it. */
export type ActingSession = {
  /** UUID. */
  readonly id: string
  readonly organizationId: string
  readonly operator: ActingOperator
  /** `implied`: nobody gave a reason; the operator's assertion began it when it was issued. */
  readonly mode: 'required' | 'implied'
  readonly reason: string
  readonly ticket: string
  readonly startedAt: Instant
  readonly expiresAt: Instant
}

/** Why an operator may not look: there is no session, it ran out, or the customer has not let, does not let, or no longer lets them. */
export type ActingAbsence = 'no_session' | 'expired' | 'approval_required' | 'refused' | 'revoked'

/** Called inside the transaction with what came of it, so that the change and its line commit together; what it throws undoes both. */
export type AuditOutcome<Outcome> = (tx: Queryable, outcome: Outcome) => Promise<unknown>

export type SessionRow = {
  readonly session_id: string
  readonly organization_id: string
  readonly operator: string
  readonly issuer: string
  readonly roles: readonly string[]
  readonly mode: 'required' | 'implied'
  readonly reason: string
  readonly ticket: string
  readonly started_at: number
  readonly expires_at: number
}

export function sessionOf(row: SessionRow): ActingSession {
  return {
    id: row.session_id,
    organizationId: row.organization_id,
    operator: { name: row.operator, issuer: row.issuer, roles: row.roles },
    mode: row.mode,
    reason: row.reason,
    ticket: row.ticket,
    startedAt: row.started_at,
    expiresAt: row.expires_at,
  }
}

/** Delegation as RFC 8693 has it, never impersonation: who is looked at, and who looks (R25). */
export type Delegation = {
  readonly sub: string
  readonly act: { readonly sub: string; readonly iss: string }
  readonly scope: 'billing:read'
  readonly reason: string
  readonly ticket: string
  /** Seconds since 1970. */
  readonly exp: number
}

export function delegationOf({ organizationId, operator, reason, ticket, expiresAt }: ActingSession): Delegation {
  return {
    sub: organizationId,
    act: { sub: operator.name, iss: operator.issuer },
    scope: 'billing:read',
    reason,
    ticket,
    exp: Math.floor(expiresAt / 1000),
  }
}
