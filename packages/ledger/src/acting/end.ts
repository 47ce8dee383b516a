import { systemClock } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { lockActing } from '../support/standing.ts'
import type { Person } from '../support/standing.ts'
import { isRunning, newestSession } from './find.ts'
import { sessionOf } from './session.ts'
import type { ActingSession, AuditOutcome } from './session.ts'

export type EndOutcome = { readonly kind: 'ended'; readonly session: ActingSession } | { readonly kind: 'no_session' }

/** Ends the operator's session at the organization, if one runs. */
export async function endActing(
  db: Database,
  input: { readonly operator: Person; readonly organizationId: string; readonly now?: Instant; readonly audit: AuditOutcome<EndOutcome> },
): Promise<EndOutcome> {
  const { operator, organizationId, now = systemClock(), audit } = input
  if (!isUuid(organizationId)) return { kind: 'no_session' }
  return db.transaction(async (tx) => {
    await lockActing(tx, organizationId, operator)
    const newest = await newestSession(tx, organizationId, operator)
    const running = newest !== undefined && isRunning(newest, now) ? newest : undefined
    if (running !== undefined) {
      await tx.query(
        // Not by name: the session has that, from where it can be forgotten.
        `insert into acting_session_end (session_id, ended_at, cause, ended_by) values ($1::uuid, $2::timestamptz, 'ended', 'operator')`,
        [running.session_id, sqlInstant(now)],
      )
    }
    const outcome: EndOutcome = running === undefined ? { kind: 'no_session' } : { kind: 'ended', session: sessionOf(running) }
    await audit(tx, outcome)
    return outcome
  })
}
