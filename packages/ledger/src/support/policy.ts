import { systemClock } from '@ascribe/kit'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'
import { isOrganization } from '../acting/start.ts'
import type { AuditOutcome } from '../acting/session.ts'
import { endUncovered } from './revoke.ts'

/** What a customer lets operators do. */
export type SupportAccess = {
  /** Whether an operator has to ask before a session. Default: no, so that help needs no action of the customer. */
  readonly requireApproval: boolean
  /** Nobody has to ask until then. */
  readonly window?: { readonly id: string; readonly openedAt: Instant; readonly until: Instant; readonly openedBy: string }
  readonly changedAt?: Instant
  readonly changedBy?: string
}

type Row = {
  readonly require_approval: boolean | null
  readonly recorded_at: number | null
  readonly recorded_by: string | null
  readonly window_id: string | null
  readonly opened_at: number | null
  readonly until: number | null
  readonly opened_by: string | null
}

/** `undefined`: there is no such organization. */
export async function readSupportAccess(
  db: Queryable,
  organizationId: string,
  now: Instant = systemClock(),
): Promise<SupportAccess | undefined> {
  if (!isUuid(organizationId)) return undefined
  const { rows } = await db.query<Row>(
    `select p.require_approval, p.recorded_at, p.recorded_by, w.window_id, w.opened_at, w.until, w.opened_by
     from organization o
     left join lateral (select * from support_policy p where p.organization_id = o.organization_id order by sequence desc limit 1) p on true
     left join lateral (
       select * from support_window w where w.organization_id = o.organization_id and w.until > $2::timestamptz
         and not exists (select from support_window_end e where e.window_id = w.window_id) order by w.until desc limit 1
     ) w on true
     where o.organization_id = $1::uuid`,
    [organizationId, sqlInstant(now)],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { window_id: id, opened_at: openedAt, until, opened_by: openedBy } = row
  return {
    requireApproval: row.require_approval === true,
    ...(id !== null && openedAt !== null && until !== null && openedBy !== null && { window: { id, openedAt, until, openedBy } }),
    ...(row.recorded_at !== null && { changedAt: row.recorded_at }),
    ...(row.recorded_by !== null && { changedBy: row.recorded_by }),
  }
}

export type PolicyOutcome = 'changed' | 'unchanged' | 'unknown_organization'

/** Says whether operators have to ask. If they have to, sessions that run without an approval end at once. */
export async function setSupportAccess(
  db: Database,
  input: {
    readonly organizationId: string
    readonly requireApproval: boolean
    readonly by: string
    readonly now?: Instant
    readonly audit: AuditOutcome<PolicyOutcome>
  },
): Promise<PolicyOutcome> {
  const { organizationId, requireApproval, by, now = systemClock(), audit } = input
  return changed(db, organizationId, audit, async (tx) => {
    const before = await readSupportAccess(tx, organizationId, now)
    if (before?.requireApproval === requireApproval) return 'unchanged'
    await tx.query('insert into support_policy (organization_id, require_approval, recorded_by) values ($1::uuid, $2::boolean, $3::text)', [
      organizationId,
      requireApproval,
      by,
    ])
    if (requireApproval) await endUncovered(tx, { organizationId, by, now })
    return 'changed'
  })
}

/** Longer is no window any more, but a door. */
const OPEN_DAYS_MAX = 30

/** Lets every operator begin sessions without asking, until then, in the place of a window that is open. @throws {LedgerInputError} */
export async function openSupportWindow(
  db: Database,
  input: {
    readonly organizationId: string
    readonly until: Instant
    readonly by: string
    readonly now?: Instant
    readonly audit: AuditOutcome<PolicyOutcome>
  },
): Promise<PolicyOutcome> {
  const { organizationId, until, by, now = systemClock(), audit } = input
  checkUntil(until, now)
  return changed(db, organizationId, audit, async (tx) => {
    await endWindows(tx, { organizationId, by, now })
    await tx.query(
      'insert into support_window (organization_id, opened_at, until, opened_by) values ($1::uuid, $2::timestamptz, $3::timestamptz, $4::text)',
      [organizationId, sqlInstant(now), sqlInstant(until), by],
    )
    return 'changed'
  })
}

/** Closes the window, and ends sessions that ran because of it. */
export async function closeSupportWindow(
  db: Database,
  input: { readonly organizationId: string; readonly by: string; readonly now?: Instant; readonly audit: AuditOutcome<PolicyOutcome> },
): Promise<PolicyOutcome> {
  const { organizationId, by, now = systemClock(), audit } = input
  return changed(db, organizationId, audit, async (tx) => {
    if ((await endWindows(tx, { organizationId, by, now })) === 0) return 'unchanged'
    const access = await readSupportAccess(tx, organizationId, now)
    if (access?.requireApproval === true) await endUncovered(tx, { organizationId, by, now })
    return 'changed'
  })
}

/** @throws {LedgerInputError} */
export function checkUntil(until: Instant, now: Instant): void {
  if (until > now && until <= now + OPEN_DAYS_MAX * 24 * 3_600_000) return
  throw new LedgerInputError(`Cannot let operators in until then: it has to be later than now, and at most ${OPEN_DAYS_MAX} days away`)
}

async function changed(
  db: Database,
  organizationId: string,
  audit: AuditOutcome<PolicyOutcome>,
  change: (tx: Queryable) => Promise<PolicyOutcome>,
): Promise<PolicyOutcome> {
  return db.transaction(async (tx) => {
    const known = isUuid(organizationId) && (await isOrganization(tx, organizationId))
    // Changes of one customer take their turns.
    if (known) await tx.query('select pg_advisory_xact_lock($1::integer, hashtext($2::text))', [SUPPORT_CLASS, organizationId])
    const outcome = known ? await change(tx) : 'unknown_organization'
    await audit(tx, outcome)
    return outcome
  })
}

// "ascs" in ASCII, see locks.ts.
const SUPPORT_CLASS = 0x61736373

async function endWindows(
  tx: Queryable,
  { organizationId, by, now }: { readonly organizationId: string; readonly by: string; readonly now: Instant },
): Promise<number> {
  const { rowCount } = await tx.query(
    `insert into support_window_end (window_id, ended_at, ended_by)
     select w.window_id, $2::timestamptz, $3::text from support_window w where w.organization_id = $1::uuid and w.until > $2::timestamptz
       and not exists (select from support_window_end e where e.window_id = w.window_id)`,
    [organizationId, sqlInstant(now), by],
  )
  return rowCount
}
