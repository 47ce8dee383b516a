import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'

/** A member of an organization, as the directory has it now. */
export type ViewedMember = {
  readonly id: string
  readonly name?: string
  readonly email?: string
  /** Of this organization; those of others are nobody's business here. */
  readonly groupIds: readonly string[]
}

export type ViewedGroup = { readonly id: string; readonly name?: string; readonly members: number }

type Page = { readonly organizationId: string; readonly limit: number; readonly after?: readonly string[] }
export type MemberPage<Entry> = { readonly entries: readonly Entry[]; readonly next: readonly string[] | undefined }

// From the organization to its members, not through everybody's. Index organization_member_organization, and the primary keys.
const MEMBERS = `
select m.user_id as id, v.name, v.email, g.ids as groups
from (
  select distinct on (user_id) user_id, ended from organization_member
  where organization_id = $1::uuid and valid_from <= clock_timestamp() order by user_id, valid_from desc, revision desc
) m
left join lateral (
  select name, email, ended from user_version v where v.user_id = m.user_id and v.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) v on true
cross join lateral (
  select coalesce(array_agg(g.group_id order by g.group_id collate "C"), '{}') as ids from (
    select distinct on (group_id) group_id, ended from group_member g
    where g.user_id = m.user_id and g.valid_from <= clock_timestamp() order by group_id, valid_from desc, revision desc
  ) g
  cross join lateral (
    select organization_id, ended from group_version v where v.group_id = g.group_id and v.valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1
  ) o
  where not g.ended and not o.ended and o.organization_id = $1::uuid
) g
where not m.ended and not coalesce(v.ended, false) and m.user_id collate "C" > $2::text
order by m.user_id collate "C" limit $3::integer`

// Index group_version_organization.
const GROUPS = `
select g.group_id as id, v.name, m.members
from (select distinct group_id from group_version where organization_id = $1::uuid) g
cross join lateral (
  select name, organization_id, ended from group_version v where v.group_id = g.group_id and v.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) v
cross join lateral (
  select count(*)::integer as members from (
    select distinct on (user_id) ended from group_member m
    where hashtextextended(m.group_id, 0) = hashtextextended(g.group_id, 0) and m.group_id = g.group_id and m.valid_from <= clock_timestamp()
    order by user_id, valid_from desc, revision desc
  ) m where not ended
) m
where not v.ended and v.organization_id = $1::uuid and g.group_id collate "C" > $2::text
order by g.group_id collate "C" limit $3::integer`

type MemberRow = {
  readonly id: string
  readonly name: string | null
  readonly email: string | null
  readonly groups: readonly string[]
}

/** The members that an organization has now, by id. */
export async function readMembers(db: Queryable, page: Page): Promise<MemberPage<ViewedMember>> {
  return readPage<MemberRow, ViewedMember>(db, page, {
    sql: MEMBERS,
    entryOf: (row) => ({
      id: row.id,
      ...(row.name !== null && { name: row.name }),
      ...(row.email !== null && { email: row.email }),
      groupIds: row.groups,
    }),
  })
}

type GroupRow = { readonly id: string; readonly name: string | null; readonly members: number }

/** The groups that an organization has now, by id. */
export async function readGroupsOf(db: Queryable, page: Page): Promise<MemberPage<ViewedGroup>> {
  return readPage<GroupRow, ViewedGroup>(db, page, {
    sql: GROUPS,
    entryOf: ({ id, name, members }) => ({ id, ...(name !== null && { name }), members }),
  })
}

async function readPage<Row extends { readonly id: string }, Entry>(
  db: Queryable,
  { organizationId, limit, after }: Page,
  { sql, entryOf }: { readonly sql: string; readonly entryOf: (row: Row) => Entry },
): Promise<MemberPage<Entry>> {
  if (!isUuid(organizationId)) return { entries: [], next: undefined }
  const { rows } = await db.query<Row>(sql, [organizationId, after?.[0] ?? '', limit + 1])
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { entries: page.map(entryOf), next: rows.length > limit && last !== undefined ? [last.id] : undefined }
}
