import type { Queryable } from '@ascribe/postgres'
import type { Instant, Nano, Period, Quantity, Rate } from '@ascribe/units'
import type { ActRecord } from '@ascribe/usage'
import { mappingAtSql } from '../attribution-sql.ts'
import { countedSql } from '../counted-sql.ts'
import { sqlInstant } from '../instants.ts'
import { idBoundsSql } from '../partitions.ts'
import { storedRate } from '../stored-rate.ts'

type PartsQuery = { readonly organizationId: string; readonly machineId: string; readonly period: Period; readonly limit: number }

/** A stretch of a machine's life: one usage record. */
export type ViewedInterval = {
  readonly eventId: string
  readonly start: Instant
  readonly end: Instant
  readonly isRunning: boolean
  readonly provenance: string
  readonly meters: Readonly<Record<string, Quantity>>
}

// As of each record's own instant it has to be this organization's. Index usage_record_machine.
const INTERVALS = `
select r.event_id, r.instant, r.ended_at, coalesce(r.headers->>'state' = 'running', false) as is_running, r.provenance, r.other_meters
from usage_record r
where r.api = 'machine' and hashtextextended(r.resource_id, 0) = hashtextextended($4::text, 0) and r.resource_id = $4::text
  and r.instant >= $2::timestamptz and r.instant < $3::timestamptz and ${idBoundsSql('$2::timestamptz', '$3::timestamptz')}
  and ${countedSql({ start: '$2::timestamptz', end: '$3::timestamptz' })}
  and (select organization_id from (${mappingAtSql('r.auth_id', 'r.instant')}) t) = $1::uuid
order by r.instant desc limit $5::integer`

/** The newest stretches of a machine's life in a period. */
export async function readMachineIntervals(db: Queryable, query: PartsQuery): Promise<readonly ViewedInterval[]> {
  const { rows } = await db.query<{
    event_id: string
    instant: number
    ended_at: number
    is_running: boolean
    provenance: string
    other_meters: Readonly<Record<string, number>> | null
  }>(INTERVALS, valuesOf(query))
  return rows.map((row) => ({
    eventId: row.event_id,
    start: row.instant,
    end: row.ended_at,
    isRunning: row.is_running,
    provenance: row.provenance,
    meters: Object.fromEntries(Object.entries(row.other_meters ?? {}).map(([meter, quantity]) => [meter, BigInt(quantity)])),
  }))
}

/** An act upon a machine. Who asked for it is not in it. */
export type ViewedAct = ActRecord

// Index cloud_act_server.
const ACTS = `
select a.body from cloud_act a
where hashtextextended(a.server_id, 0) = hashtextextended($4::text, 0) and a.server_id = $4::text
  and a.started_at >= $2::timestamptz and a.started_at < $3::timestamptz
  and (select organization_id from (${mappingAtSql('a.auth_id', 'a.started_at')}) t) = $1::uuid
order by a.started_at desc, a.event_id desc limit $5::integer`

/** The newest acts upon a machine in a period. */
export async function readMachineActs(db: Queryable, query: PartsQuery): Promise<readonly ViewedAct[]> {
  const { rows } = await db.query<{ body: ViewedAct }>(ACTS, valuesOf(query))
  return rows.map(({ body }) => body)
}

/** One meter of a machine at one price. */
export type ViewedMachineLine = {
  readonly meter: string
  readonly quantity: Quantity
  readonly rate: Rate
  readonly amount: Nano
  readonly isMemo: boolean
}

const LINES = `
select meter, rate::text as rate, sum(quantity)::text as quantity, sum(amount_nano)::text as amount, is_memo from (
  select meter, rate, quantity, amount_nano, false as is_memo from charge
  where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = $4::text
  union all
  select meter, rate, quantity, amount_nano, false from adjustment
  where organization_id = $1::uuid and month >= utc_month($2::timestamptz) and month <= utc_month($3::timestamptz)
    and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = $4::text
  union all
  select meter, rate, quantity, amount_nano, true from provider_charge
  where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = $4::text
) t group by meter, t.rate, is_memo having sum(quantity) <> 0 or sum(amount_nano) <> 0
order by is_memo, meter collate "C", t.rate`

/** What a machine's meters come to in a period, by price. */
export async function readMachineLines(db: Queryable, query: Omit<PartsQuery, 'limit'>): Promise<readonly ViewedMachineLine[]> {
  const { rows } = await db.query<{ meter: string; rate: string; quantity: string; amount: string; is_memo: boolean }>(
    LINES,
    valuesOf({ ...query, limit: 0 }).slice(0, -1),
  )
  return rows.map((row) => ({
    meter: row.meter,
    quantity: BigInt(row.quantity),
    rate: storedRate(row.rate),
    amount: BigInt(row.amount),
    isMemo: row.is_memo,
  }))
}

function valuesOf({ organizationId, machineId, period, limit }: PartsQuery): readonly unknown[] {
  return [organizationId, sqlInstant(period.start), sqlInstant(period.end), machineId, limit]
}
