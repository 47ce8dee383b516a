import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'

export type DirectoryUser = {
  /** The platform's own. */
  readonly id: string
  readonly name?: string
  readonly email?: string
  /** Organizations and groups that the user is a member of now. */
  readonly organizationIds: readonly string[]
  /** By organization, where one is said; absent: nowhere. */
  readonly roles?: Readonly<Record<string, string>>
  readonly groupIds: readonly string[]
}

export type DirectoryGroup = { readonly id: string; readonly organizationId: string; readonly name?: string; readonly members: number }

export type DirectoryResource = { readonly id: string; readonly type?: string; readonly name?: string; readonly organizationId?: string }

export type EntryFilter = {
  /** Only this one. */
  readonly id?: string
  /** Only those of an organization. */
  readonly organizationId?: string
  /** Only members of a group. */
  readonly groupId?: string
}

const PAGE = 1000

// A page of ids by the primary key, and for each the row in force. `matches` says whether it is asked for: pages are counted before.
const page = (table: string, key: string): string => `
from (select distinct ${key} from ${table} where ${key} > $1::text and ($2::text is null or ${key} = $2::text) order by ${key} limit ${PAGE}) k
cross join lateral (
  select * from ${table} v where v.${key} = k.${key} and v.valid_from <= clock_timestamp() order by valid_from desc, revision desc limit 1
) v`

const memberships = (table: string, of: string, more = { select: '', column: '' }): string => `
  select coalesce(array_agg(${of}::text order by ${of}), '{}') as ids${more.select} from (
    select distinct on (${of}) ${of}, ended${more.column} from ${table} m
    where m.user_id = v.user_id and m.valid_from <= clock_timestamp() order by ${of}, valid_from desc, revision desc
  ) m where not ended`

const ROLES = {
  select: ", coalesce(json_object_agg(organization_id, role) filter (where role is not null), '{}') as roles",
  column: ', role',
}

const USERS = `
select v.user_id as id, v.name, v.email, o.ids as organizations, o.roles, g.ids as groups,
  not v.ended and ($3::text is null or $3::text = any(o.ids)) and ($4::text is null or $4::text = any(g.ids)) as matches
${page('user_version', 'user_id')}
cross join lateral (${memberships('organization_member', 'organization_id', ROLES)}) o
cross join lateral (${memberships('group_member', 'group_id')}) g
order by v.user_id`

const GROUPS = `
select v.group_id as id, v.organization_id, v.name, m.members,
  not v.ended and ($3::text is null or $3::text = v.organization_id::text) as matches
${page('group_version', 'group_id')}
cross join lateral (
  select count(*)::integer as members from (
    select distinct on (user_id) ended from group_member m
    where hashtextextended(m.group_id, 0) = hashtextextended(v.group_id, 0) and m.group_id = v.group_id and m.valid_from <= clock_timestamp()
    order by user_id, valid_from desc, revision desc
  ) m where not ended
) m
order by v.group_id`

const RESOURCES = `
select v.resource_id as id, v.resource_type, v.name, v.organization_id,
  not v.ended and ($3::text is null or $3::text = v.organization_id::text) as matches
${page('resource_version', 'resource_id')}
order by v.resource_id`

type Row = { readonly id: string; readonly matches: boolean; readonly name: string | null }

type Asked = readonly [id: string | null, organizationId: string | null, ...groupId: (string | null)[]]

async function* stream<Found extends Row>(db: Queryable, sql: string, asked: Asked): AsyncGenerator<Found, void, undefined> {
  const [, organizationId] = asked
  if (organizationId !== null && !isUuid(organizationId)) return
  let after = ''
  for (;;) {
    const { rows }: { readonly rows: readonly Found[] } = await db.query<Found>(sql, [after, ...asked])
    for (const row of rows) if (row.matches) yield row
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = last.id
  }
}

/** Users that are there now, by id; a page at a time. */
export async function* streamUsers(db: Queryable, filter: EntryFilter = {}): AsyncGenerator<DirectoryUser, void, undefined> {
  type UserRow = Row & {
    readonly email: string | null
    readonly organizations: readonly string[]
    readonly roles: Readonly<Record<string, string>>
    readonly groups: readonly string[]
  }
  const { id = null, organizationId = null, groupId = null } = filter
  for await (const row of stream<UserRow>(db, USERS, [id, organizationId, groupId])) {
    yield {
      id: row.id,
      ...(row.name !== null && { name: row.name }),
      ...(row.email !== null && { email: row.email }),
      organizationIds: row.organizations,
      ...(Object.keys(row.roles).length > 0 && { roles: row.roles }),
      groupIds: row.groups,
    }
  }
}

/** Groups that are there now, by id; a page at a time. */
export async function* streamGroups(
  db: Queryable,
  filter: Omit<EntryFilter, 'groupId'> = {},
): AsyncGenerator<DirectoryGroup, void, undefined> {
  type GroupRow = Row & { readonly organization_id: string; readonly members: number }
  const { id = null, organizationId = null } = filter
  for await (const row of stream<GroupRow>(db, GROUPS, [id, organizationId])) {
    yield { id: row.id, organizationId: row.organization_id, ...(row.name !== null && { name: row.name }), members: row.members }
  }
}

/** Resources that are there now, by id; a page at a time. */
export async function* streamResources(
  db: Queryable,
  filter: Omit<EntryFilter, 'groupId'> = {},
): AsyncGenerator<DirectoryResource, void, undefined> {
  type ResourceRow = Row & { readonly resource_type: string | null; readonly organization_id: string | null }
  const { id = null, organizationId = null } = filter
  for await (const row of stream<ResourceRow>(db, RESOURCES, [id, organizationId])) {
    yield {
      id: row.id,
      ...(row.resource_type !== null && { type: row.resource_type }),
      ...(row.name !== null && { name: row.name }),
      ...(row.organization_id !== null && { organizationId: row.organization_id }),
    }
  }
}
