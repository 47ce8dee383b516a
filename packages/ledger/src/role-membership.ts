import type { Queryable } from '@ascribe/postgres'
import type { LedgerRole } from './roles.ts'

/** Whether the login of this connection may go on as a role; false also while there is no such role. */
export async function isRoleMember(db: Queryable, role: LedgerRole): Promise<boolean> {
  const { rows } = await db.query<{ member: boolean }>(
    `select coalesce((select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = $1::text), false) as member`,
    [role],
  )
  return rows[0]?.member === true
}
