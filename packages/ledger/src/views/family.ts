import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Currency } from '@ascribe/units'

/** An organization whose data another one may see. */
export type FamilyMember = { readonly id: string; readonly name: string; readonly currency: Currency }

/** Children at most in one reply: a report of more is an export. */
const CHILDREN_MAX = 1000

type Row = { readonly organization_id: string; readonly name: string; readonly currency: string }

// The row in force of each that ever stood under it. Index organization_parent_parent.
const FAMILY = `
select o.organization_id, o.name, o.currency from organization o where o.organization_id = $1::uuid
union all
select * from (
  select o.organization_id, o.name, o.currency
  from (select distinct organization_id from organization_parent where parent_id = $1::uuid) c
  cross join lateral (
    select parent_id from organization_parent p where p.organization_id = c.organization_id and p.valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1
  ) p
  join organization o on o.organization_id = c.organization_id
  where p.parent_id = $1::uuid
  order by o.name collate "C", o.organization_id limit ${CHILDREN_MAX}
) children`

/**
 * An organization, then those that stand directly under it now, by name: whose data it may see. Who is a child sees itself. Empty when there is
 * no such organization.
 */
export async function readFamily(db: Queryable, organizationId: string): Promise<readonly FamilyMember[]> {
  if (!isUuid(organizationId)) return []
  const { rows } = await db.query<Row>(FAMILY, [organizationId])
  return rows.map((row) => ({ id: row.organization_id, name: row.name, currency: row.currency }))
}
