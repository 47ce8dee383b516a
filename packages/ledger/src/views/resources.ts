import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant, Nano, Period, Quantity } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { NOWHERE } from './dimensions.ts'
import { USAGE_PARAMETERS, quantitySource } from './cost-source.ts'

/** What an organization used or owns: a model deployment, a virtual machine. */
export type ViewedResource = {
  readonly id: string
  readonly kind: 'vm' | 'other'
  readonly type?: string
  readonly name?: string
  readonly region: string
  /** In whose account a virtual machine lives: the user of what is charged for it. */
  readonly ownerIds: readonly string[]
  /** Start of the first and the last hour, of those in the period, in which it was used. */
  readonly firstUsed?: Instant
  readonly lastUsed?: Instant
  /** Of a virtual machine, hours of the period in which it used anything. */
  readonly hours?: number
  readonly meters: Readonly<Record<string, Quantity>>
  /** Hourly charges of the period, and what corrected them. */
  readonly amount: Nano
}

export type ResourcePage = { readonly resources: readonly ViewedResource[]; readonly next: readonly string[] | undefined }

export type ResourceQuery = {
  readonly organizationId: string
  readonly period: Period
  /** Default: all. */
  readonly kind?: 'vm'
  readonly limit: number
  readonly after?: readonly string[]
}

type Row = {
  readonly id: string
  readonly type: string | null
  readonly name: string | null
  readonly region: string
  readonly is_vm: boolean
  readonly owners: readonly string[]
  readonly first_used: number | null
  readonly last_used: number | null
  readonly meters: Readonly<Record<string, string>>
  readonly amount: string
}

const FIRST = USAGE_PARAMETERS + 1

// What is charged, and what the directory says is theirs. A machine is one by its type, or by its meters. Index resource_version_organization.
const RESOURCES = `
with used as (
  select t.resource_id, t.meter, sum(t.quantity) as quantity, sum(t.amount_nano) as amount,
    array_remove(array_agg(distinct t.user_id), null) as users, min(t.at) as first_used, max(t.at) as last_used
  from (${quantitySource('day')}) t where t.resource_id <> '' group by t.resource_id, t.meter
), summed as (
  select resource_id, json_object_agg(meter, quantity::text order by meter collate "C") as meters, sum(amount) as amount,
    bool_or(starts_with(meter, 'vm_')) as has_vm_meter, min(first_used) as first_used, max(last_used) as last_used,
    (select array_agg(distinct o) from used x, unnest(x.users) o where x.resource_id = used.resource_id) as owners
  from used group by resource_id
), known as (
  select resource_id from summed
  union select resource_id from resource_version where organization_id = any($1::uuid[])
)
select k.resource_id as id, v.resource_type as type, v.name, coalesce(nullif(v.region, ''), '${NOWHERE}') as region,
  coalesce(v.resource_type = 'vm' or s.has_vm_meter, false) as is_vm, coalesce(s.owners, '{}') as owners,
  s.first_used, s.last_used, coalesce(s.meters, '{}') as meters, coalesce(s.amount, 0)::text as amount
from known k
left join summed s on s.resource_id = k.resource_id
left join lateral (
  select * from resource_version v where v.resource_id = k.resource_id and v.valid_from <= clock_timestamp()
  order by v.valid_from desc, v.revision desc limit 1
) v on true
where (s.resource_id is not null or (v.organization_id = any($1::uuid[]) and not v.ended))
  and (not $${FIRST}::boolean or coalesce(v.resource_type = 'vm' or s.has_vm_meter, false))
  and k.resource_id collate "C" > $${FIRST + 1}::text
order by k.resource_id collate "C" limit $${FIRST + 2}::integer`

// Index usage_hour_organization.
const HOURS = `
select resource_id, count(distinct hour)::integer as hours from usage_hour
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[])
group by resource_id`

/** The resources of an organization, by id, with what they used and cost in a period. */
export async function readResources(db: Queryable, query: ResourceQuery): Promise<ResourcePage> {
  const { organizationId, period, kind, limit, after } = query
  if (!isUuid(organizationId)) return { resources: [], next: undefined }
  const bounds = [sqlInstant(period.start), sqlInstant(period.end)]
  const { rows } = await db.query<Row>(RESOURCES, [[organizationId], ...bounds, kind === 'vm', after?.[0] ?? '', limit + 1])
  const page = rows.slice(0, limit)
  const machines = page.filter((row) => row.is_vm).map(({ id }) => id)
  const hours = machines.length === 0 ? [] : (await db.query<HoursRow>(HOURS, [organizationId, ...bounds, machines])).rows
  const hoursOf = new Map(hours.map((row) => [row.resource_id, row.hours]))
  const last = page.at(-1)
  return {
    resources: page.map((row) => resourceOf(row, hoursOf.get(row.id) ?? 0)),
    next: rows.length > limit && last !== undefined ? [last.id] : undefined,
  }
}

type HoursRow = { readonly resource_id: string; readonly hours: number }

function resourceOf(row: Row, hours: number): ViewedResource {
  return {
    id: row.id,
    kind: row.is_vm ? 'vm' : 'other',
    ...(row.type !== null && { type: row.type }),
    ...(row.name !== null && { name: row.name }),
    region: row.region,
    ownerIds: row.is_vm ? row.owners : [],
    ...(row.first_used !== null && { firstUsed: row.first_used }),
    ...(row.last_used !== null && { lastUsed: row.last_used }),
    ...(row.is_vm && { hours }),
    meters: Object.fromEntries(Object.entries(row.meters).map(([meter, quantity]) => [meter, BigInt(quantity)])),
    amount: BigInt(row.amount),
  }
}
