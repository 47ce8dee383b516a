import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'

/** A request that nobody answered for this long is none any more. */
const REQUEST_LAPSES_MS = 7 * 24 * 3_600_000

export type RequestState = 'pending' | 'approved' | 'refused' | 'revoked' | 'lapsed'

/** How an operator stands with a customer at an instant. */
export type SupportStanding = {
  readonly requiresApproval: boolean
  /** Until when the customer lets the operator in, by an approval or a window; absent: not at all. */
  readonly coveredUntil?: Instant
  /** By which of the operator's requests. */
  readonly approvedRequestId?: string
  /** The operator's newest request. */
  readonly request?: { readonly id: string; readonly state: RequestState; readonly requestedAt: Instant }
}

type Row = {
  readonly requires: boolean
  readonly window_until: number | null
  readonly approved_until: number | null
  readonly approved_request: string | null
  readonly request_id: string | null
  readonly requested_at: number | null
  readonly decision: 'approve' | 'refuse' | 'revoke' | null
}

const STANDING = `
with mine as (
  select r.request_id, r.requested_at, d.decision, d.until
  from support_request r
  left join lateral (
    select decision, until from support_decision d where d.request_id = r.request_id order by sequence desc limit 1
  ) d on true
  where r.organization_id = $1::uuid and r.operator = $2::text and r.issuer = $3::text
), approved as (
  select request_id, until from mine where decision = 'approve' and until > $4::timestamptz order by until desc limit 1
), newest as (
  select * from mine order by requested_at desc, request_id desc limit 1
)
select coalesce((select require_approval from support_policy where organization_id = $1::uuid order by sequence desc limit 1), false) as requires,
  (select max(w.until) from support_window w where w.organization_id = $1::uuid and w.until > $4::timestamptz
    and not exists (select from support_window_end e where e.window_id = w.window_id)) as window_until,
  (select until from approved) as approved_until, (select request_id from approved) as approved_request,
  n.request_id, n.requested_at, n.decision
from (select) one left join newest n on true`

/** How the operator stands with the customer. */
export async function supportStanding(
  db: Queryable,
  { organizationId, operator, now }: { readonly organizationId: string; readonly operator: Person; readonly now: Instant },
): Promise<SupportStanding> {
  const { rows } = await db.query<Row>(STANDING, [organizationId, operator.name, operator.issuer, sqlInstant(now)])
  const [row] = rows
  if (row === undefined) throw new Error('the standing gave no row')
  const coveredUntil = Math.max(row.window_until ?? 0, row.approved_until ?? 0)
  return {
    requiresApproval: row.requires,
    ...(coveredUntil > 0 && { coveredUntil }),
    ...(row.approved_request !== null && { approvedRequestId: row.approved_request }),
    ...(row.request_id !== null &&
      row.requested_at !== null && {
        request: { id: row.request_id, requestedAt: row.requested_at, state: stateOf(row.decision, row.requested_at, now) },
      }),
  }
}

export type Person = { readonly name: string; readonly issuer: string }

/** What a request is by its last answer. */
export function stateOf(decision: Row['decision'], requestedAt: Instant, now: Instant): RequestState {
  switch (decision) {
    case 'approve':
      return 'approved'
    case 'refuse':
      return 'refused'
    case 'revoke':
      return 'revoked'
    case null:
      return requestedAt + REQUEST_LAPSES_MS <= now ? 'lapsed' : 'pending'
  }
}

/** Whether the customer lets the operator in. */
export function isLetIn({ requiresApproval, coveredUntil }: SupportStanding): boolean {
  return !requiresApproval || coveredUntil !== undefined
}

// "asca" in ASCII, see locks.ts.
const ACTING_CLASS = 0x61736361

/** Makes the caller, until its transaction ends, the only one that begins or ends what this operator does at this customer. */
export async function lockActing(tx: Queryable, organizationId: string, { name, issuer }: Person): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::integer, hashtext($2::text))', [
    ACTING_CLASS,
    JSON.stringify([organizationId, issuer, name]),
  ])
}
