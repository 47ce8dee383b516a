import type { Database, Queryable } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import type { ActRecord, MintDay } from '@ascribe/usage'
import type { AuditEntry } from '../audit/entry.ts'
import type { Trail } from '../audit/trail.ts'
import { mappingAtSql } from '../attribution-sql.ts'

/** Lines of one transaction: it holds the chains it writes to. */
const LINES_MAX = 200
/** "asca" in ASCII, as locks.ts has them: lines of acts are in the order of the acts, so one process writes them at a time. */
const POSTING = 0x61736361

type Row = {
  readonly event_id: string
  readonly organization_id: string
  readonly requested_by: string | null
  readonly body: ActRecord | MintDay
}

// Whose an act is says the mapping in force at its own instant, as for usage. Unmapped ones stay where they are, and are looked at by auth id only.
const NEXT = `
with known as materialized (
  select w.event_id, w.started_at, w.requested_by, m.organization_id from cloud_act_waiting w
  left join lateral (${mappingAtSql('w.auth_id', 'w.started_at')}) m on true
)
select k.event_id, k.organization_id, k.requested_by, a.body from known k join cloud_act a using (event_id)
where k.organization_id is not null order by k.started_at, k.event_id limit ${LINES_MAX}`

/**
 * Writes a line for each act whose owner is some organization's into that organization's log, each once, oldest first; gives how many. What is
 * nobody's waits. Safe to run anywhere and at any time: while another process writes them, nothing is done.
 * @throws {TrailDownError} nothing of the last lines is written
 */
export async function postActs(db: Database, trail: Pick<Trail, 'appendIn'>): Promise<number> {
  let posted = 0
  for (;;) {
    const count = await db.transaction((tx) => postSome(tx, trail))
    posted += count
    if (count < LINES_MAX) return posted
  }
}

async function postSome(tx: Queryable, trail: Pick<Trail, 'appendIn'>): Promise<number> {
  const { rows: locked } = await tx.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1::bigint) as locked', [POSTING])
  if (locked[0]?.locked !== true) return 0
  const { rows } = await tx.query<Row>(NEXT)
  if (rows.length === 0) return 0
  await tx.query('delete from cloud_act_waiting where event_id = any($1::uuid[])', [rows.map(({ event_id: id }) => id)])
  // Last: the chains are held from here on.
  await trail.appendIn(tx, rows.map(entryOf))
  return rows.length
}

/** How many acts are nobody's yet, and of which auth ids: the first hundred. */
export async function readWaitingActs(
  db: Queryable,
): Promise<readonly { readonly authId: string; readonly acts: number; readonly since: number }[]> {
  const { rows } = await db.query<{ auth_id: string; acts: number; since: number }>(
    'select auth_id, count(*)::integer as acts, min(started_at) as since from cloud_act_waiting group by auth_id order by auth_id limit 100',
  )
  return rows.map(({ auth_id: authId, acts, since }) => ({ authId, acts, since }))
}

function entryOf({ event_id: eventId, organization_id: chain, requested_by: requestedBy, body }: Row): AuditEntry {
  return body.kind === 'act' ? actEntry(body, { chain, eventId, requestedBy }) : mintsEntry(body, { chain, eventId })
}

type Place = { readonly chain: string; readonly eventId: string }

/** `at`: when it was sent. What was opened or changed is in `detail`; who asked for it is a person, and sealed. */
function actEntry(act: ActRecord, { chain, eventId, requestedBy }: Place & { readonly requestedBy: string | null }): AuditEntry {
  const { verb, account, actor, outcome, made, resource, fault, status, cloudRequestId, mints, startedAt, endedAt } = act
  return {
    chain,
    kind: 'act',
    at: startedAt,
    actor: { kind: 'system', id: actor.controller, via: 'controller' },
    ...(cloudRequestId !== undefined && { requestId: cloudRequestId }),
    detail: {
      verb,
      outcome,
      object: actor.object,
      account: account.kind,
      owner: account.userId,
      region: account.region,
      ended_at: formatInstant(endedAt),
      event: eventId,
      ...(actor.cluster !== undefined && { cluster: actor.cluster }),
      ...(account.binding !== undefined && { binding: account.binding }),
      ...(resource !== undefined && { [resource.type]: resource.uuid }),
      ...(made !== undefined && { [`made_${made.type}`]: made.uuid }),
      ...(fault !== undefined && { fault }),
      ...(status !== undefined && { cloud_status: status }),
      ...(mints !== undefined && { tokens: [...mints] }),
    },
    ...(requestedBy !== null && { personal: { requested_by: requestedBy } }),
  }
}

function mintsEntry(day: MintDay, { chain, eventId }: Place): AuditEntry {
  return {
    chain,
    kind: 'mint',
    at: day.startedAt,
    actor: { kind: 'system', id: day.controller, via: 'controller' },
    detail: {
      day: formatInstant(day.startedAt).slice(0, 10),
      owner: day.userId,
      minted: day.minted,
      refused: day.refused,
      discarded: day.discarded,
      regions: [...day.regions],
      event: eventId,
    },
  }
}
