import type { Queryable } from '@ascribe/postgres'
import type { Currency, Instant, Period, Quantity } from '@ascribe/units'
import { claimAgreesSql, mappingAtSql } from './attribution-sql.ts'
import { countedSql } from './counted-sql.ts'
import { RECORDS_DIGEST_SQL, digestOfBits } from './records-digest.ts'
import type { RecordsDigest } from './records-digest.ts'
import { sqlInstant } from './instants.ts'
import { idBoundsSql } from './partitions.ts'
import { COMMON_METERS } from './record-row.ts'

/** Records of one period that fare alike, whatever their number: same identity, same model, same meters. */
export type UsageGroup = {
  readonly authId: string
  /** As the edge claimed it. */
  readonly claimedOrganizationId: string | null
  /** By the directory, as of the records' instants. */
  readonly organizationId: string | null
  readonly userId: string | null
  readonly groupId: string | null
  readonly currency: Currency | null
  /** Whether the claim, if there is one, names that organization. */
  readonly claimAgrees: boolean
  readonly resourceId: string
  /** What prices go by, see {@link PRICED_MODEL_SQL}. */
  readonly model: string | null
  readonly baseModel: string | null
  /** The upstream refused or failed, or the path costs nothing: without quantities it is free. */
  readonly failed: boolean
  /** Nobody knows the quantities. */
  readonly unknown: boolean
  /** The meters that are not zero; every record of the group has all of them. */
  readonly quantities: Readonly<Record<string, Quantity>>
  readonly recordCount: bigint
  readonly digest: RecordsDigest
  readonly firstInstant: Instant
  readonly lastInstant: Instant
}

type GroupRow = {
  readonly auth_id: string
  readonly claimed_organization_id: string | null
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
  readonly currency: string | null
  readonly claim_agrees: boolean
  readonly resource_id: string
  readonly model: string | null
  readonly base_model: string | null
  readonly failed: boolean
  readonly unknown: boolean
  readonly input_tokens: string | null
  readonly cached_input_tokens: string | null
  readonly output_tokens: string | null
  readonly reasoning_tokens: string | null
  readonly other_shape: string | null
  readonly other_meter: string | null
  readonly other_quantity: string | null
  readonly has_others: boolean
  readonly mapped_from: number | null
  readonly record_count: bigint
  readonly records_digest: string
  readonly first_instant: number
  readonly last_instant: number
}

/**
 * The model that prices go by: what the engine named. Only where a reply was cut short, or its usage is ours or running, the model
 * that was asked for stands in: the engine had no chance to name one, and such a stream must not fall out of the price book
 * (litellm-37734). A whole reply that names none stays without, and is held.
 */
export const PRICED_MODEL_SQL: string =
  "coalesce(r.model, case when r.outcome <> 'completed' or r.provenance in ('estimated', 'continuous') then r.model_asked end)"

// Groups the records of [$1, $2) so that few rows come back; the directory is asked once a group, not once a record. Mappings
// that begin within the period are rare; `boundary` holds them, and records after one are grouped apart. Index (instant, event_id).
function groupSql({ others, superseded }: { readonly others: boolean; readonly superseded: boolean }): string {
  const keys = `r.auth_id, r.claimed_organization_id, r.resource_id, ${PRICED_MODEL_SQL}, r.base_model, r.outcome = 'upstream_error' or r.api = 'free',
    r.provenance = 'unknown' or (r.input_tokens is null and r.cached_input_tokens is null and r.output_tokens is null
      and r.reasoning_tokens is null and r.other_meters is null),
    coalesce(r.input_tokens > 0, false), coalesce(r.cached_input_tokens > 0, false), coalesce(r.output_tokens > 0, false),
    coalesce(r.reasoning_tokens > 0, false), b.valid_from`
  // Records with other meters are unfolded, one row for each meter that is not zero. All records of a shape have the same ones,
  // so that each row of a group has the count and the common sums of the whole group.
  const shape = '(select jsonb_agg(key order by key collate "C") from jsonb_each_text(r.other_meters) where value <> \'0\')'
  return `
with boundary as materialized (
  select auth_id, valid_from, lead(valid_from, 1, 'infinity') over (partition by auth_id order by valid_from) as valid_to
  from auth_mapping where valid_from > $1::timestamptz and valid_from < $2::timestamptz
), grouped (auth_id, claimed_organization_id, resource_id, model, base_model, failed, unknown, s1, s2, s3, s4, mapped_from,
  other_shape, other_meter, other_quantity, has_others, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
  record_count, records_digest, first_instant, last_instant) as (
  select ${keys},
    ${others ? `${shape}::text, e.key, sum(e.value::numeric), true` : 'null::text, null::text, null::numeric, r.other_meters is not null'},
    sum(r.input_tokens), sum(r.cached_input_tokens), sum(r.output_tokens), sum(r.reasoning_tokens),
    count(*), ${RECORDS_DIGEST_SQL}, min(r.instant), max(r.instant)
  from usage_record r
  left join boundary b on b.auth_id = r.auth_id and b.valid_from <= r.instant and r.instant < b.valid_to
  ${others ? "left join lateral jsonb_each_text(r.other_meters) e on e.value <> '0'" : ''}
  where r.instant >= $1::timestamptz and r.instant < $2::timestamptz and ${idBoundsSql('$1::timestamptz', '$2::timestamptz')} ${others ? 'and r.other_meters is not null' : ''}
    ${superseded ? `and ${countedSql({ start: '$1::timestamptz', end: '$2::timestamptz' })}` : ''}
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12${others ? ', 13, 14' : ', 16'}
)
select g.*, m.organization_id, m.user_id, m.group_id, o.currency, ${claimAgreesSql('g.claimed_organization_id', 'm.organization_id')} as claim_agrees
from grouped g
left join lateral (${mappingAtSql('g.auth_id', 'coalesce(g.mapped_from, $1::timestamptz)')}
) m on true
left join organization o on o.organization_id = m.organization_id`
}

const [GROUP_COMMON, GROUP_OTHERS] = [groupSql({ others: false, superseded: false }), groupSql({ others: true, superseded: false })]
const [COUNTED_COMMON, COUNTED_OTHERS] = [groupSql({ others: false, superseded: true }), groupSql({ others: true, superseded: true })]

// Hardly any hour has one, and looking for each record costs a sixth of the grouping. Index superseded_record_instant. The planner cannot
// know how few groups there are, and would sort all records by all that they are grouped by, which takes half as long again as hashing; so
// for the rest of the transaction it prefers that, with memory for many. In an hour of more groups than that, PostgreSQL hashes in parts.
const PREPARE = `
select set_config('enable_sort', 'off', true), set_config('work_mem', '64MB', true),
  exists (select from superseded_record where instant >= $1::timestamptz and instant < $2::timestamptz) as superseded`

/** Groups the records of a period. Records that commit between its statements may be missed; whoever relies on all of them has a dirty mark left. */
export async function readGroups(db: Queryable, period: Period): Promise<readonly UsageGroup[]> {
  const bounds = [sqlInstant(period.start), sqlInstant(period.end)]
  const superseded = (await db.query<{ superseded: boolean }>(PREPARE, bounds)).rows[0]?.superseded === true
  const { rows } = await db.query<GroupRow>(superseded ? COUNTED_COMMON : GROUP_COMMON, bounds)
  const groups = rows.filter((row) => !row.has_others).map((row) => groupOf(row, {}))
  if (groups.length === rows.length) return groups
  const unfolded = await db.query<GroupRow>(superseded ? COUNTED_OTHERS : GROUP_OTHERS, bounds)
  return [...groups, ...folded(unfolded.rows)]
}

function folded(rows: readonly GroupRow[]): readonly UsageGroup[] {
  const groups = new Map<string, { readonly row: GroupRow; readonly others: Record<string, Quantity> }>()
  for (const row of rows) {
    const { other_meter: meter, other_quantity: quantity } = row
    const group = groups.getOrInsertComputed(shapeKey(row), () => ({ row, others: {} }))
    if (meter !== null && quantity !== null) group.others[meter] = BigInt(quantity)
  }
  return [...groups.values()].map(({ row, others }) => groupOf(row, others))
}

/** Everything that the statement groups by, but for the meter. */
function shapeKey(row: GroupRow): string {
  return JSON.stringify([
    row.auth_id,
    row.claimed_organization_id,
    row.resource_id,
    row.model,
    row.base_model,
    row.failed,
    row.unknown,
    row.mapped_from,
    COMMON_METERS.map((meter) => isPositive(row[meter])),
    row.other_shape,
  ])
}

function isPositive(sum: string | null): boolean {
  return sum !== null && sum !== '0'
}

function groupOf(row: GroupRow, others: Readonly<Record<string, Quantity>>): UsageGroup {
  const quantities: Record<string, Quantity> = { ...others }
  for (const meter of COMMON_METERS) {
    const sum = row[meter]
    if (sum !== null && sum !== '0') quantities[meter] = BigInt(sum)
  }
  return {
    authId: row.auth_id,
    claimedOrganizationId: row.claimed_organization_id,
    organizationId: row.organization_id,
    userId: row.user_id,
    groupId: row.group_id,
    currency: row.currency,
    claimAgrees: row.claim_agrees,
    resourceId: row.resource_id,
    model: row.model,
    baseModel: row.base_model,
    failed: row.failed,
    unknown: row.unknown,
    quantities,
    recordCount: row.record_count,
    digest: digestOfBits(row.records_digest),
    firstInstant: row.first_instant,
    lastInstant: row.last_instant,
  }
}
