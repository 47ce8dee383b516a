import type { Queryable } from '@ascribe/postgres'

/** Whose a group is now, if it is known and not of `organizationId`. */
export async function groupElsewhere(tx: Queryable, groupId: string, organizationId: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ organization_id: string; ended: boolean }>(
    `select organization_id, ended from group_version where group_id = $1::text and valid_from <= clock_timestamp()
     order by valid_from desc, revision desc limit 1`,
    [groupId],
  )
  const [group] = rows
  return group === undefined || group.ended || group.organization_id === organizationId ? undefined : group.organization_id
}
