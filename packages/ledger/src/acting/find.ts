import type { Queryable } from '@ascribe/postgres'
import { systemClock } from '@ascribe/kit'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { isLetIn, supportStanding } from '../support/standing.ts'
import type { Person, SupportStanding } from '../support/standing.ts'
import { sessionOf } from './session.ts'
import type { ActingAbsence, ActingSession, SessionRow } from './session.ts'

export type FoundActing = { readonly kind: 'active'; readonly session: ActingSession } | { readonly kind: ActingAbsence }

export type ActingQuery = { readonly organizationId: string; readonly operator: Person; readonly now?: Instant }

/** The session in which the operator looks at the organization now, or why there is none. Asked at every request, so that whatever the customer decides holds from the next one on. */
export async function findActing(db: Queryable, { organizationId, operator, now = systemClock() }: ActingQuery): Promise<FoundActing> {
  if (!isUuid(organizationId) || isUnstorable(operator)) return { kind: 'no_session' }
  const newest = await newestSession(db, organizationId, operator)
  const standing = await supportStanding(db, { organizationId, operator, now })
  if (newest !== undefined && isRunning(newest, now) && isLetIn(standing)) return { kind: 'active', session: sessionOf(newest) }
  return { kind: absenceOf(newest, standing) }
}

/** Text that PostgreSQL does not take names nobody. */
function isUnstorable({ name, issuer }: Person): boolean {
  return name.includes('\0') || issuer.includes('\0')
}

export type NewestSession = SessionRow & { readonly cause: 'ended' | 'revoked' | null }

export async function newestSession(db: Queryable, organizationId: string, { name, issuer }: Person): Promise<NewestSession | undefined> {
  const { rows } = await db.query<NewestSession>(
    `select s.*, e.cause from acting_session s left join acting_session_end e on e.session_id = s.session_id
     where s.organization_id = $1::uuid and s.operator = $2::text and s.issuer = $3::text order by s.recorded_at desc limit 1`,
    [organizationId, name, issuer],
  )
  return rows[0]
}

export function isRunning({ cause, expires_at: expiresAt }: NewestSession, now: Instant): boolean {
  return cause === null && expiresAt > now
}

function absenceOf(newest: NewestSession | undefined, standing: SupportStanding): ActingAbsence {
  if (!isLetIn(standing)) {
    const { state, requestedAt = 0 } = standing.request ?? {}
    if (newest?.cause === 'revoked' && newest.started_at > requestedAt) return 'revoked'
    return state === 'refused' || state === 'revoked' ? state : 'approval_required'
  }
  if (newest === undefined || newest.cause === 'ended') return 'no_session'
  return newest.cause === 'revoked' ? 'revoked' : 'expired'
}
