import type { Queryable } from '@ascribe/postgres'
import { parseInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import { sqlInstant, startOf } from '../instants.ts'
import type { Start } from '../instants.ts'

/** Whose an auth id is to be in `[from, to)`. */
export type WantedMapping = {
  readonly authId: string
  /** Null: nobody's. */
  readonly organizationId: string | null
  readonly userId: string | null
  readonly groupId: string | null
  /** Undefined: the beginning of time when the auth id has no mapping yet, so that what is held for it rates itself; else now. */
  readonly from: Start | undefined
  /** Undefined: until the next mapping of the auth id. Else what begins before it is overruled, and what held at it goes on from there. */
  readonly to: Instant | undefined
}

/** A row to be added. `restores`: it says anew what held anyway. */
type PlannedRow = {
  readonly auth_id: string
  /** As the database writes it in JSON, `-infinity` too. */
  readonly valid_from: string
  readonly revision: number
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
  readonly restores: boolean
}

export type PlannedMapping = {
  /** Where it begins, defaults applied. */
  readonly from: Start
  /** Rows that make it so; none: it is so already. */
  readonly rows: readonly PlannedRow[]
  /** Whether it contradicts what was said for an instant at which it begins or which it covers: then it is a correction. */
  readonly corrects: boolean
  /** Whose it is from `from` on before anything is written; null: nobody's. */
  readonly organizationBefore: string | null
}

// What each wanted mapping finds at its beginning, between, and at its end, and the rows that follow. Several wanted mappings of one
// auth id do not see each other here. Uses the primary key of auth_mapping alone.
const PLAN = `
with clock as materialized (select date_trunc('milliseconds', clock_timestamp()) as now),
wanted as materialized (
  select n, w.auth_id, w.organization_id, w.user_id, w.group_id, until,
    coalesce(since, case when exists (select from auth_mapping m where m.auth_id = w.auth_id) then clock.now else '-infinity' end) as since
  from clock, json_to_recordset($1::json) as w (n integer, auth_id text, organization_id uuid, user_id text, group_id text,
    since timestamptz, until timestamptz)
),
first as (
  select w.*, m.organization_id as organization_before, m.valid_from = w.since as is_said, case when m.valid_from = w.since then m.revision + 1 else 0 end as revision,
    (m.organization_id, m.user_id, m.group_id) is distinct from (w.organization_id, w.user_id, w.group_id) as differs
  from wanted w left join lateral (${mappingAtSql('w.auth_id', 'w.since')}) m on true
),
planned as (
  select n, auth_id, since as valid_from, revision, organization_id, user_id, group_id, false as restores, coalesce(is_said, false) as corrects
  from first where differs
  union all
  select w.n, w.auth_id, m.valid_from, m.revision + 1, w.organization_id, w.user_id, w.group_id, false, true
  from wanted w cross join lateral (
    select distinct on (valid_from) valid_from, revision, organization_id, user_id, group_id from auth_mapping
    where auth_id = w.auth_id and valid_from > w.since and valid_from < w.until order by valid_from, revision desc
  ) m
  where (m.organization_id, m.user_id, m.group_id) is distinct from (w.organization_id, w.user_id, w.group_id)
  union all
  select w.n, w.auth_id, w.until, 0, m.organization_id, m.user_id, m.group_id, true, false
  from wanted w left join lateral (${mappingAtSql('w.auth_id', 'w.until')}) m on true
  where w.until is not null and m.valid_from is distinct from w.until
    and (m.organization_id, m.user_id, m.group_id) is distinct from (w.organization_id, w.user_id, w.group_id)
)
select f.n, f.since, f.organization_before, coalesce(bool_or(p.corrects), false) as corrects,
  json_agg(json_build_object('auth_id', p.auth_id, 'valid_from', p.valid_from, 'revision', p.revision,
    'organization_id', p.organization_id, 'user_id', p.user_id, 'group_id', p.group_id, 'restores', p.restores)) filter (where p.n is not null) as rows
from first f left join planned p on p.n = f.n
group by f.n, f.since, f.organization_before order by f.n`

type PlanRow = {
  readonly n: number
  readonly since: number
  readonly organization_before: string | null
  readonly corrects: boolean
  readonly rows: readonly PlannedRow[] | null
}

/** Says, for each wanted mapping, what would have to be written. Each auth id at most once. */
export async function planMappings(tx: Queryable, wanted: readonly WantedMapping[]): Promise<readonly PlannedMapping[]> {
  const { rows } = await tx.query<PlanRow>(PLAN, [
    JSON.stringify(
      wanted.map(({ authId, organizationId, userId, groupId, from, to }, n) => ({
        n,
        auth_id: authId,
        organization_id: organizationId,
        user_id: userId,
        group_id: groupId,
        since: from === undefined ? null : sqlInstant(from),
        until: to === undefined ? null : sqlInstant(to),
      })),
    ),
  ])
  return rows.map((row) => ({
    from: startOf(row.since),
    corrects: row.corrects,
    organizationBefore: row.organization_before,
    rows: row.rows ?? [],
  }))
}

const INSERT = `
insert into auth_mapping (auth_id, valid_from, revision, organization_id, user_id, group_id, recorded_by)
select auth_id, valid_from, revision, organization_id, user_id, group_id, $2::text
from json_to_recordset($1::json) as r (auth_id text, valid_from timestamptz, revision integer, organization_id uuid, user_id text, group_id text)`

// A row governs until the next instant of its auth id. Every record of a rated hour is in usage_hour; what is not rated yet is dirty anyway.
const MARK = `
insert into dirty_hour (hour, cause)
select distinct u.hour, 'mapping'
from json_to_recordset($1::json) as r (auth_id text, valid_from timestamptz)
cross join lateral (
  select coalesce(min(valid_from), 'infinity') as until from auth_mapping m where m.auth_id = r.auth_id and m.valid_from > r.valid_from
) n
join usage_hour u on hashtextextended(u.auth_id, 0) = hashtextextended(r.auth_id, 0) and u.auth_id = r.auth_id
  and u.hour > r.valid_from - interval '1 hour' and u.hour < n.until
  and u.last_instant >= r.valid_from and u.first_instant < n.until`

/**
 * Adds the rows of plans, and marks the hours of usage that they touch. Gives the number of these and the instants that are still to come,
 * for the policy. The caller holds lockRating() since before it planned.
 */
export async function writeMappings(
  tx: Queryable,
  plans: readonly PlannedMapping[],
  options: { readonly recordedBy: string | undefined },
): Promise<{ readonly hours: number; readonly dueAt: readonly Instant[] }> {
  const rows = plans.flatMap((plan) => plan.rows)
  if (rows.length === 0) return { hours: 0, dueAt: [] }
  await tx.query(INSERT, [JSON.stringify(rows), options.recordedBy ?? null])
  const marked = await tx.query(MARK, [JSON.stringify(rows.filter(({ restores }) => !restores))])
  const instants = new Set(rows.map(({ valid_from: at }) => parseInstant(at)))
  return { hours: marked.rowCount, dueAt: [...instants].filter((at) => at !== undefined) }
}
