import type { Queryable } from '@ascribe/postgres'

/** An organization that somebody belongs to. */
export type UserOrganization = {
  readonly id: string
  readonly name: string
  /** By the directory; absent: it says nothing. */
  readonly role?: 'admin' | 'viewer'
}

export type UserOrganizationsQuery = {
  /** The user's id in the directory. */
  readonly userId: string
  /** Organizations that somebody else vouches for, in the place of the directory's memberships. */
  readonly ids?: readonly string[]
}

const READ = `
select o.organization_id, o.name, m.role
from organization o
cross join lateral (
  select ended from organization_version v where v.organization_id = o.organization_id and v.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) v
left join (
  select distinct on (organization_id) organization_id, role, ended from organization_member
  where user_id = $1::text and valid_from <= clock_timestamp() order by organization_id, valid_from desc, revision desc
) m on m.organization_id = o.organization_id and not m.ended and not coalesce((
  select ended from user_version u where u.user_id = $1::text and u.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
), false)
where not v.ended and case when $2::uuid[] is null then m.organization_id is not null else o.organization_id = any($2::uuid[]) end
order by o.name, o.organization_id`

/** The organizations of a user that are there now, by name: those given, or else those that the directory says he is a member of. */
export async function readUserOrganizations(db: Queryable, { userId, ids }: UserOrganizationsQuery): Promise<readonly UserOrganization[]> {
  if (userId.includes('\0')) return []
  const { rows } = await db.query<{ organization_id: string; name: string; role: 'admin' | 'viewer' | null }>(READ, [
    userId,
    ids === undefined ? null : [...ids],
  ])
  return rows.map(({ organization_id: id, name, role }) => ({ id, name, ...(role !== null && { role }) }))
}
