import { mayView } from '@ascribe/identity/teleport'
import type { Operator } from '@ascribe/identity/teleport'
import { findActing, startImplied } from '@ascribe/ledger'
import type { ActingAbsence, ActingSession, Lineage, Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from '../errors.ts'

export type SessionOptions = {
  readonly db: Database
  readonly trail: Pick<Trail, 'appendIn'>
  /** `implied`: who has none gets one with the assertion, for as long as its time lasts. */
  readonly mode: 'required' | 'implied'
  /** Of an implied session, from the assertion's `iat`. */
  readonly ttlMs: number
  readonly clock: () => number
}

export type FindSession = {
  mayView(operator: Operator, lineage: Lineage): boolean
  /** @throws {Refusal} that says what is missing */
  find(operator: Operator, organizationId: string): Promise<ActingSession>
  /** Whether this very session goes on: not ended, not revoked, not over. Begins none. @throws {Refusal} when it does not */
  stillLasts(session: ActingSession): Promise<void>
}

/** Looks for the row behind "on behalf of": the browser carries nothing, so there is nothing to steal or to forget. */
export function createFindSession(options: SessionOptions): FindSession {
  const { db, mode } = options
  return {
    mayView: ({ policy }, { id, ancestors }) => mayView(policy, id, ancestors),
    async find(operator, organizationId) {
      const found = await findActing(db, { operator, organizationId })
      if (found.kind === 'active') return found.session
      if (mode === 'required' || !operator.policy.mayActImplied) throw missing(found.kind)
      return begin(options, operator, { organizationId, why: found.kind })
    },
    async stillLasts({ id, operator, organizationId }) {
      const found = await findActing(db, { operator, organizationId })
      if (found.kind !== 'active') throw missing(found.kind)
      if (found.session.id !== id) throw missing('expired')
    },
  }
}

type Without = { readonly organizationId: string; /** There is none yet. */ readonly why: ActingAbsence }

async function begin(
  { db, trail, ttlMs, clock }: SessionOptions,
  operator: Operator,
  { organizationId, why }: Without,
): Promise<ActingSession> {
  const { name, issuer, roles, assertionId, issuedAt, expiresAt } = operator
  const outcome = await startImplied(db, {
    operator: { name, issuer, roles },
    organizationId,
    assertion: { id: assertionId, issuedAt, expiresAt },
    ttlMs,
    audit: (tx, made) =>
      trail.appendIn(tx, [
        {
          chain: organizationId,
          kind: 'session',
          at: clock(),
          actor: { kind: 'operator', id: name, issuer, roles, via: 'teleport' },
          detail: { outcome: made.kind, mode: 'implied' },
        },
      ]),
  })
  switch (outcome.kind) {
    case 'started':
    case 'already_active':
      return outcome.session
    case 'approval_required':
      // Who was told no is told so again, and asks anew by saying why.
      throw missing(why === 'refused' || why === 'revoked' ? why : 'approval_required')
    case 'unknown_organization':
      throw new Refusal('organization_not_found', 'There is no such organization.')
    case 'not_started':
      // One assertion, one session: whoever signs in anew may look again.
      throw missing('expired')
  }
}

/** Why an operator may not look now, and what to do about it. */
function missing(why: ActingAbsence): Refusal {
  switch (why) {
    case 'no_session':
      return new Refusal('acting_session_required', 'Say why you look: begin an acting session with POST /v1/acting-sessions.')
    case 'approval_required':
      return new Refusal('approval_required', 'The customer wants to approve this first.')
    case 'expired':
      return new Refusal('acting_session_ended', 'Your acting session is over. Begin another one.')
    case 'revoked':
      return new Refusal('acting_session_ended', 'The customer has ended your access.')
    case 'refused':
      return new Refusal('acting_session_ended', 'The customer has refused your access.')
  }
}
