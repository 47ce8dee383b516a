import type { Queryable } from '@ascribe/postgres'
import { mappingAtSql } from '../attribution-sql.ts'

/** Whether one of our keys belongs to an organization now; revoked ones too. */
export async function isCredentialOf(
  db: Queryable,
  { authId, organizationId }: { readonly authId: string; readonly organizationId: string },
): Promise<boolean> {
  if (authId.includes('\0')) return false
  const { rowCount } = await db.query(
    `select from credential c cross join lateral (${mappingAtSql('c.auth_id', 'clock_timestamp()')}) m
     where c.auth_id = $1::text and m.organization_id = $2::uuid`,
    [authId, organizationId],
  )
  return rowCount > 0
}

/** Whether a group is an organization's now. */
export async function isGroupOf(
  db: Queryable,
  { groupId, organizationId }: { readonly groupId: string; readonly organizationId: string },
): Promise<boolean> {
  if (groupId.includes('\0')) return false
  const { rowCount } = await db.query(
    `select from (
       select organization_id, ended from group_version where group_id = $1::text and valid_from <= clock_timestamp()
       order by valid_from desc, revision desc limit 1
     ) v where not v.ended and v.organization_id = $2::uuid`,
    [groupId, organizationId],
  )
  return rowCount > 0
}

/** Whether a user is a member of an organization now. */
export async function isMemberOf(
  db: Queryable,
  { userId, organizationId }: { readonly userId: string; readonly organizationId: string },
): Promise<boolean> {
  if (userId.includes('\0')) return false
  const { rowCount } = await db.query(
    `select from (
       select ended from organization_member
       where organization_id = $2::uuid and user_id = $1::text and valid_from <= clock_timestamp()
       order by valid_from desc, revision desc limit 1
     ) m where not ended`,
    [userId, organizationId],
  )
  return rowCount > 0
}
