import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import { LedgerInputError } from '../errors.ts'

export type FoundOrganization = { readonly id: string; readonly name: string }

export type LookUp = {
  /** A part of a name, an id or its first 8 characters or more, the id of an API key or the auth id it stands for. */
  readonly q: string
  /** Default 20, at most 50. */
  readonly limit?: number
  /** Nothing else is found: these, and whatever stands below those. Default: all. */
  readonly within?: { readonly organizations: Iterable<string>; readonly childrenOf: Iterable<string> }
}

export type LookedUp = { readonly organizations: readonly FoundOrganization[]; readonly more: boolean }

const LIMIT = 20
const LIMIT_MAX = 50
const QUERY_MIN = 2
const QUERY_MAX = 200
const BLANK = '00000000-0000-0000-0000-000000000000'

// The parent of now decides. Rounds of `below` go down one step at a time; the directory keeps circles out.
const ALLOWED = `
with recursive below (id) as (
  select c.organization_id from organization_parent c
  cross join lateral (
    select parent_id from organization_parent p where p.organization_id = c.organization_id and p.valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1
  ) now_under
  where c.parent_id = any ($6::uuid[]) and now_under.parent_id = c.parent_id
  union
  select c.organization_id from below join organization_parent c on c.parent_id = below.id
  cross join lateral (
    select parent_id from organization_parent p where p.organization_id = c.organization_id and p.valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1
  ) now_under
  where now_under.parent_id = below.id
)`

const FIND = `${ALLOWED}, found (id, rank) as (
  select organization_id, 0 from organization where organization_id between $2::uuid and $3::uuid
  union all
  select m.organization_id, 0
  from (select $1::text as auth_id union select auth_id from credential_secret where public_id = $1::text) k
  cross join lateral (${mappingAtSql('k.auth_id', 'clock_timestamp()')}
  ) m where m.organization_id is not null
  union all
  select organization_id, case when lower(name) = lower($1::text) then 1 when name ilike $4::text || '%' then 2 else 3 end
  from organization where name ilike '%' || $4::text || '%'
)
select o.organization_id as id, o.name
from (select id, min(rank) as rank from found group by id) f join organization o on o.organization_id = f.id
where $7::boolean or f.id = any ($5::uuid[]) or f.id in (select id from below)
order by f.rank, lower(o.name), o.organization_id limit $8::integer`

/** Finds organizations for an operator: ids and names, nothing else. @throws {LedgerInputError} `q` is too short, too long, or a whole key */
export async function lookUpOrganizations(db: Queryable, { q, limit = LIMIT, within }: LookUp): Promise<LookedUp> {
  const text = q.trim()
  if (text.length < QUERY_MIN || text.length > QUERY_MAX || text.includes('\0')) {
    throw new LedgerInputError(`Cannot look up: give ${QUERY_MIN} to ${QUERY_MAX} characters of a name, an id or a key id`)
  }
  // Such a text ends up in logs.
  if (/^as[kp]_[0-9a-z]+_/i.test(text)) {
    throw new LedgerInputError('Cannot look up by a whole key: give the part between the first two underscores, and have the key replaced')
  }
  const count = Math.min(Math.max(Math.trunc(limit), 1), LIMIT_MAX)
  const [from, to] = idRange(text.toLowerCase())
  const { rows } = await db.query<FoundOrganization>(FIND, [
    text,
    from,
    to,
    text.replaceAll(/[\\%_]/g, String.raw`\$&`),
    uuids(within?.organizations),
    uuids(within?.childrenOf),
    within === undefined,
    count + 1,
  ])
  return { organizations: rows.slice(0, count), more: rows.length > count }
}

function uuids(ids: Iterable<string> | undefined): readonly string[] {
  return [...(ids ?? [])].filter((id) => isUuid(id))
}

/** The ids that begin so; none for a text that is no beginning of one. */
function idRange(text: string): readonly [from: string | null, to: string | null] {
  if (text.length < 8 || text.length > BLANK.length || !isUuid(text + BLANK.slice(text.length))) return [null, null]
  return [text + BLANK.slice(text.length), text + BLANK.slice(text.length).replaceAll('0', 'f')]
}
