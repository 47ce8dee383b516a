import type { Queryable } from '@ascribe/postgres'
import type { Nano, Period, Quantity } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import { countedSql } from '../counted-sql.ts'
import { sqlInstant } from '../instants.ts'
import { idBoundsSql } from '../partitions.ts'

/** What a machine used in a period, and what that comes to. */
export type MachineSums = {
  /** Milliseconds of the period in which it ran, of stretches that began in it. */
  readonly runningMs: bigint
  readonly meters: Readonly<Record<string, Quantity>>
  /** Hourly charges, and what corrected them. */
  readonly amount: Nano
  /** What the provider bills itself, at list prices. */
  readonly memo: Nano
  /** Records without a price, or of which nobody knows how much it was. */
  readonly heldRecords: number
}

type SumsQuery = { readonly organizationId: string; readonly period: Period; readonly machineIds: readonly string[] }

// All of one organization, so that what a machine used while it was another's is in no sum. Indexes *_organization.
const AMOUNTS = `
select resource_id as id, sum(amount) as amount, sum(memo) as memo from (
  select resource_id, amount_nano as amount, 0::numeric as memo from charge
  where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[])
  union all
  select resource_id, amount_nano, 0 from adjustment
  where organization_id = $1::uuid and month >= utc_month($2::timestamptz) and month <= utc_month($3::timestamptz)
    and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[])
  union all
  select resource_id, 0, amount_nano from provider_charge
  where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[])
) t group by resource_id`

const QUANTITIES = `
select resource_id as id, e.key as meter, sum(e.value::numeric)::text as quantity from usage_hour, jsonb_each_text(meters) e
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[]) and state <> 'unattributed'
group by resource_id, e.key order by e.key collate "C"`

const HELD = `
select resource_id as id, sum(record_count)::integer as held from usage_hour
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and resource_id = any($4::text[])
  and state in ('unpriced', 'unknown')
group by resource_id`

// Index usage_record_machine.
const RUNNING = `
select s.id, sum(extract(epoch from r.ended_at - r.instant) * 1000)::bigint as ms
from unnest($3::text[]) s (id)
join usage_record r on hashtextextended(r.resource_id, 0) = hashtextextended(s.id, 0) and r.resource_id = s.id
where r.api = 'machine' and r.instant >= $1::timestamptz and r.instant < $2::timestamptz and ${idBoundsSql('$1::timestamptz', '$2::timestamptz')}
  and r.headers->>'state' = 'running' and ${countedSql({ start: '$1::timestamptz', end: '$2::timestamptz' })}
  and (select organization_id from (${mappingAtSql('r.auth_id', 'r.instant')}) t) = $4::uuid
group by s.id`

/** What some machines used in a period, by their ids. */
export async function readMachineSums(
  db: Queryable,
  { organizationId, period, machineIds }: SumsQuery,
): Promise<ReadonlyMap<string, MachineSums>> {
  const bounds = [sqlInstant(period.start), sqlInstant(period.end)]
  const values = [organizationId, ...bounds, machineIds]
  const { rows: amounts } = await db.query<{ id: string; amount: string; memo: string }>(AMOUNTS, values)
  const { rows: quantities } = await db.query<{ id: string; meter: string; quantity: string }>(QUANTITIES, values)
  const { rows: held } = await db.query<{ id: string; held: number }>(HELD, values)
  const { rows: running } = await db.query<{ id: string; ms: bigint }>(RUNNING, [...bounds, machineIds, organizationId])
  return new Map(
    machineIds.map((id) => {
      const amount = amounts.find((row) => row.id === id)
      return [
        id,
        {
          runningMs: running.find((row) => row.id === id)?.ms ?? 0n,
          meters: Object.fromEntries(quantities.filter((row) => row.id === id).map(({ meter, quantity }) => [meter, BigInt(quantity)])),
          amount: BigInt(amount?.amount ?? 0),
          memo: BigInt(amount?.memo ?? 0),
          heldRecords: held.find((row) => row.id === id)?.held ?? 0,
        },
      ]
    }),
  )
}
