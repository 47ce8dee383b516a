import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant, Nano, Period, Quantity } from '@ascribe/units'
import type { ActAccountKind, MachineState } from '@ascribe/usage'
import { mappingAtSql } from '../attribution-sql.ts'
import { sqlInstant } from '../instants.ts'
import { readMachineSums } from './machine-sums.ts'
import type { MachineSums } from './machine-sums.ts'

/** A virtual machine of an organization, and what it used in a period. */
export type ViewedMachine = MachineSums & {
  readonly id: string
  readonly name: string
  readonly namespace: string
  readonly cluster?: string
  readonly region: string
  readonly account: ActAccountKind
  readonly ownerId: string
  readonly authId: string
  readonly state: MachineState
  readonly stateAt: Instant
  readonly since: Instant
  readonly cpuMhz: number
  readonly memoryMib: number
  readonly diskBytes: bigint
  readonly addresses: number
  readonly createdBy?: MachineCreation
}

/** The act that made a machine. */
export type MachineCreation = { readonly controller: string; readonly object: string; readonly at: Instant }

export type MachineQuery = {
  readonly organizationId: string
  readonly period: Period
  /** Default: all. */
  readonly states?: readonly MachineState[]
  readonly regions?: readonly string[]
  readonly limit: number
  readonly after?: readonly string[]
}

export type MachinePage = {
  readonly machines: readonly ViewedMachine[]
  /** Of all machines of the period: what is owed, and what the provider bills itself. */
  readonly amount: Nano
  readonly memo: Nano
  readonly next: readonly string[] | undefined
}

type Row = {
  readonly server_id: string
  readonly auth_id: string
  readonly user_id: string
  readonly account: string
  readonly name: string
  readonly namespace: string
  readonly cluster: string | null
  readonly region: string
  readonly state: string
  readonly state_at: number
  readonly since: number
  readonly cpu_mhz: bigint
  readonly memory_mib: bigint
  readonly disk_bytes: string
  readonly addresses: number
}

// Machines of auth ids that are the organization's now: who had them before sees what they used then, in reports and on statements, and
// nothing of what they are now. Indexes auth_mapping_organization and machine_auth.
const OWN = `
select m.* from machine m
where m.auth_id in (select auth_id from auth_mapping where organization_id = $1::uuid)
  and (select organization_id from (${mappingAtSql('m.auth_id', 'clock_timestamp()')}) t) = $1::uuid`

const PAGE = `${OWN}
  and m.since < $3::timestamptz and (m.state <> 'deleted' or m.state_at >= $2::timestamptz)
  and ($4::text[] is null or m.state = any($4::text[])) and ($5::text[] is null or m.region = any($5::text[]))
  and m.server_id collate "C" > $6::text
order by m.server_id collate "C" limit $7::integer`

const TOTALS = `
select
  (select coalesce(sum(amount_nano), 0) from charge where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
     and starts_with(meter, 'vm_'))
  + (select coalesce(sum(amount_nano), 0) from adjustment where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
     and month >= utc_month($2::timestamptz) and month <= utc_month($3::timestamptz) and starts_with(meter, 'vm_')) as amount,
  (select coalesce(sum(amount_nano), 0) from provider_charge where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
     and starts_with(meter, 'vm_')) as memo`

/** The machines of an organization that were there at some time of the period, by id. */
export async function readMachines(db: Queryable, query: MachineQuery): Promise<MachinePage> {
  const { organizationId, period, states, regions, limit, after } = query
  if (!isUuid(organizationId) || regions?.some((region) => region.includes('\0')) === true)
    return { machines: [], amount: 0n, memo: 0n, next: undefined }
  const bounds = [sqlInstant(period.start), sqlInstant(period.end)]
  const { rows } = await db.query<Row>(PAGE, [organizationId, ...bounds, states ?? null, regions ?? null, after?.[0] ?? '', limit + 1])
  const { rows: totals } = await db.query<{ amount: string; memo: string }>(TOTALS, [organizationId, ...bounds])
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    machines: await withSums(db, page, { organizationId, period }),
    amount: BigInt(totals[0]?.amount ?? 0),
    memo: BigInt(totals[0]?.memo ?? 0),
    next: rows.length > limit && last !== undefined ? [last.server_id] : undefined,
  }
}

/** One machine of an organization; `undefined` also for another organization's. */
export async function readMachine(
  db: Queryable,
  { organizationId, machineId, period }: { readonly organizationId: string; readonly machineId: string; readonly period: Period },
): Promise<ViewedMachine | undefined> {
  if (!isUuid(organizationId) || machineId.includes('\0')) return undefined
  const { rows } = await db.query<Row>(`${OWN} and m.server_id = $2::text`, [organizationId, machineId])
  const [machine] = await withSums(db, rows, { organizationId, period })
  return machine
}

async function withSums(
  db: Queryable,
  rows: readonly Row[],
  of: { readonly organizationId: string; readonly period: Period },
): Promise<readonly ViewedMachine[]> {
  if (rows.length === 0) return []
  const ids = rows.map(({ server_id: id }) => id)
  const sums = await readMachineSums(db, { ...of, machineIds: ids })
  const creations = await readCreations(db, ids, of.organizationId)
  return rows.map((row) => {
    const createdBy = creations.get(row.server_id)
    return { ...machineOf(row), ...(sums.get(row.server_id) ?? NO_SUMS), ...(createdBy !== undefined && { createdBy }) }
  })
}

const NO_SUMS: MachineSums = {
  runningMs: 0n,
  meters: {} satisfies Readonly<Record<string, Quantity>>,
  amount: 0n,
  memo: 0n,
  heldRecords: 0,
}

function machineOf(row: Row): Omit<ViewedMachine, keyof MachineSums> {
  return {
    id: row.server_id,
    name: row.name,
    namespace: row.namespace,
    ...(row.cluster !== null && { cluster: row.cluster }),
    region: row.region,
    // The table lets no others in.
    account: row.account as ActAccountKind,
    ownerId: row.user_id,
    authId: row.auth_id,
    state: row.state as MachineState,
    stateAt: row.state_at,
    since: row.since,
    cpuMhz: Number(row.cpu_mhz),
    memoryMib: Number(row.memory_mib),
    diskBytes: BigInt(row.disk_bytes),
    addresses: row.addresses,
  }
}

type CreationRow = {
  readonly server_id: string
  readonly at: number
  readonly controller: string
  readonly object: string
}

// Index cloud_act_server.
const CREATIONS = `
select distinct on (s.id) s.id as server_id, a.started_at as at, a.body->'actor'->>'controller' as controller, a.body->'actor'->>'object' as object
from unnest($1::text[]) s (id)
join cloud_act a on hashtextextended(a.server_id, 0) = hashtextextended(s.id, 0) and a.server_id = s.id
where a.body->>'verb' = 'create_server' and a.body->>'outcome' = 'done'
  and (select organization_id from (${mappingAtSql('a.auth_id', 'a.started_at')}) t) = $2::uuid
order by s.id, a.started_at`

async function readCreations(db: Queryable, ids: readonly string[], organizationId: string): Promise<ReadonlyMap<string, MachineCreation>> {
  const { rows } = await db.query<CreationRow>(CREATIONS, [ids, organizationId])
  return new Map(rows.map(({ server_id: id, at, controller, object }) => [id, { controller, object, at }]))
}
