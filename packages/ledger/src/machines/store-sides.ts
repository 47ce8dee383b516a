import { formatInstant } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { idOfHash } from '@ascribe/units'
import { isSidePayload } from '@ascribe/usage'
import type { ActRecord, MachineNote, MintDay } from '@ascribe/usage'
import type { Batch, Delivery } from '../ingest.ts'
import type { Refusal } from '../quarantine-store.ts'
import { checkSide } from './check-side.ts'

/** What a batch holds beside usage records. */
export type Sides = {
  readonly acts: readonly (ActRecord | MintDay)[]
  readonly notes: readonly MachineNote[]
  readonly refusals: readonly Refusal[]
}

/** A batch with nothing but usage records, and what else it held. */
export type SplitBatch = { readonly batch: Batch; readonly sides: Sides }

const NONE: Sides = { acts: [], notes: [], refusals: [] }

/** Takes apart what a journal delivers; usage that is stated under an id of its own becomes a plain delivery. */
export function splitBatch(batch: Batch): SplitBatch {
  if (!batch.records.some(({ payload }) => isSidePayload(payload))) return { batch, sides: NONE }
  const records: Delivery[] = []
  const acts = new Map<string, ActRecord | MintDay>()
  const notes: MachineNote[] = []
  const refusals: Refusal[] = []
  for (const delivery of batch.records) {
    if (!isSidePayload(delivery.payload)) {
      records.push(delivery)
      continue
    }
    const side = checkSide(delivery.payload, delivery.eventId)
    if (side.kind === 'fault') refusals.push({ ...delivery, reason: side.reason, conflicting: false })
    else if (side.kind === 'usage') records.push({ eventId: side.eventId, payload: side.payload })
    else if (side.kind === 'machine') notes.push(side.note)
    else acts.set(idOf(side.act), side.act)
  }
  return { batch: { ...batch, records }, sides: { acts: [...acts.values()], notes, refusals } }
}

const INSERT_ACTS = `
with come as (
  insert into cloud_act (event_id, kind, auth_id, started_at, ended_at, server_id, body, writer)
  select event_id, kind, auth_id, started_at, ended_at, server_id, body, $2::text
  from json_to_recordset($1::json) as a (event_id uuid, kind text, auth_id text, started_at timestamptz, ended_at timestamptz, server_id text, body jsonb)
  on conflict (event_id) do nothing returning event_id, auth_id, started_at
)
insert into cloud_act_waiting (event_id, auth_id, started_at, requested_by)
select event_id, c.auth_id, c.started_at, a.requested_by
from come c join json_to_recordset($1::json) as a (event_id uuid, requested_by text) using (event_id)`

// The newest word stands, in whatever order they come; since when it is in a state is not moved by being seen in it again.
const UPSERT_MACHINES = `
insert into machine as m (server_id, auth_id, user_id, account, name, namespace, cluster, region, state, state_at, since, seen_at, cpu_mhz,
  memory_mib, disk_bytes, addresses)
select server_id, auth_id, user_id, account, name, namespace, cluster, region, state, seen_at, since, seen_at, cpu_mhz, memory_mib, disk_bytes, addresses
from json_to_recordset($1::json) as n (server_id text, auth_id text, user_id text, account text, name text, namespace text, cluster text, region text,
  state text, since timestamptz, seen_at timestamptz, cpu_mhz bigint, memory_mib bigint, disk_bytes numeric, addresses integer)
on conflict (server_id) do update set
  auth_id = excluded.auth_id, user_id = excluded.user_id, account = excluded.account, name = excluded.name, namespace = excluded.namespace,
  cluster = excluded.cluster, region = excluded.region, state = excluded.state,
  state_at = case when m.state = excluded.state then m.state_at else excluded.state_at end,
  since = least(m.since, excluded.since), seen_at = excluded.seen_at, cpu_mhz = excluded.cpu_mhz, memory_mib = excluded.memory_mib,
  disk_bytes = excluded.disk_bytes, addresses = excluded.addresses
where m.seen_at <= excluded.seen_at`

/** Stores what came beside usage; gives how many acts are new. In the transaction that moves the writer's position. */
export async function storeSides(tx: Queryable, { acts, notes }: Sides, writer: string): Promise<number> {
  if (notes.length > 0) await tx.query(UPSERT_MACHINES, [JSON.stringify(newestOf(notes).map(noteRow))])
  if (acts.length === 0) return 0
  const { rowCount } = await tx.query(INSERT_ACTS, [JSON.stringify(acts.toSorted(byId).map(actRow)), writer])
  return rowCount
}

/** A statement may touch a row once. In the order of servers, so that two batches never wait for each other in a circle. */
function newestOf(notes: readonly MachineNote[]): readonly MachineNote[] {
  const newest = new Map<string, MachineNote>()
  for (const note of notes) {
    const before = newest.get(note.serverId)
    if (before === undefined || before.startedAt <= note.startedAt) newest.set(note.serverId, note)
  }
  return [...newest.values()].toSorted((a, b) => (a.serverId < b.serverId ? -1 : 1))
}

function byId(a: ActRecord | MintDay, b: ActRecord | MintDay): number {
  return idOf(a) < idOf(b) ? -1 : 1
}

function actRow(act: ActRecord | MintDay): object {
  return {
    event_id: idOf(act),
    kind: act.kind,
    auth_id: act.authId,
    started_at: formatInstant(act.startedAt),
    ended_at: formatInstant(act.endedAt),
    server_id: act.kind === 'act' ? serverOf(act) : null,
    ...(act.kind === 'act' ? namelessOf(act) : { body: act }),
  }
}

/** A count of a day is told by whoever has the trail, each time under another id of the journal: its name is the same. */
function idOf(act: ActRecord | MintDay): string {
  return act.kind === 'act' ? act.eventId : idOfHash(act.startedAt, Buffer.from(act.name, 'hex'))
}

function namelessOf({ actor: { requestedBy, ...actor }, ...act }: ActRecord): object {
  return { body: { ...act, actor }, requested_by: requestedBy ?? null }
}

function serverOf({ resource, made }: ActRecord): string | null {
  return [made, resource].find((each) => each?.type === 'server')?.uuid ?? null
}

function noteRow(note: MachineNote): object {
  return {
    server_id: note.serverId,
    auth_id: note.authId,
    user_id: note.userId,
    account: note.account,
    name: note.name,
    namespace: note.namespace,
    cluster: note.cluster ?? null,
    region: note.region,
    state: note.state,
    since: formatInstant(note.since),
    seen_at: formatInstant(note.startedAt),
    cpu_mhz: note.cpuMhz,
    memory_mib: note.memoryMib,
    disk_bytes: note.diskBytes,
    addresses: note.addresses,
  }
}
