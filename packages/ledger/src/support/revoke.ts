import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { Person } from './standing.ts'

type Revocation = { readonly organizationId: string; readonly by: string; readonly now: Instant }

const RUNNING = `
insert into acting_session_end (session_id, ended_at, cause, ended_by)
select s.session_id, $2::timestamptz, 'revoked', $3::text from acting_session s
where s.organization_id = $1::uuid and s.expires_at > $2::timestamptz
  and not exists (select from acting_session_end e where e.session_id = s.session_id)`

/** Ends sessions that no approval stands for. */
export async function endUncovered(tx: Queryable, { organizationId, by, now }: Revocation): Promise<void> {
  await tx.query(
    `${RUNNING} and not exists (
       select from support_request r
       cross join lateral (select decision, until from support_decision d where d.request_id = r.request_id order by sequence desc limit 1) d
       where r.organization_id = s.organization_id and r.operator = s.operator and r.issuer = s.issuer
         and d.decision = 'approve' and d.until > $2::timestamptz
     ) and not exists (
       select from support_window w where w.organization_id = s.organization_id and w.until > $2::timestamptz
         and not exists (select from support_window_end e where e.window_id = w.window_id)
     ) on conflict do nothing`,
    [organizationId, sqlInstant(now), by],
  )
}

/** Ends what an operator runs at a customer. */
export async function endSessionsOf(tx: Queryable, operator: Person, { organizationId, by, now }: Revocation): Promise<void> {
  await tx.query(`${RUNNING} and s.operator = $4::text and s.issuer = $5::text on conflict do nothing`, [
    organizationId,
    sqlInstant(now),
    by,
    operator.name,
    operator.issuer,
  ])
}
