import { isUuid } from '@ascribe/units'
import type { Queryable } from '@ascribe/postgres'

/** Where an organization stands now. */
export type Lineage = {
  readonly id: string
  readonly name: string
  /** Parents up to the top, nearest first. */
  readonly ancestors: readonly string[]
}

/** A circle is refused by a trigger; this bounds the reading all the same. */
const DEPTH_MAX = 64

/**
 * Reads where an organization stands, for whoever asks whether it may be seen; `undefined`: there is none. One statement, whatever the
 * answer: what does not exist and what is not one's own take the same way.
 */
export async function readLineage(db: Queryable, id: string): Promise<Lineage | undefined> {
  if (!isUuid(id)) return undefined
  const { rows } = await db.query<{ organization_id: string; name: string; ancestors: readonly string[] }>(
    `with recursive up (organization_id, parent_id, depth) as (
       select o.organization_id, p.parent_id, 0
       from organization o
       left join lateral (
         select parent_id from organization_parent p where p.organization_id = o.organization_id and p.valid_from <= clock_timestamp()
         order by valid_from desc, revision desc limit 1
       ) p on true
       where o.organization_id = $1::uuid
       union all
       select up.parent_id, p.parent_id, up.depth + 1
       from up
       left join lateral (
         select parent_id from organization_parent p where p.organization_id = up.parent_id and p.valid_from <= clock_timestamp()
         order by valid_from desc, revision desc limit 1
       ) p on true
       where up.parent_id is not null and up.depth < ${DEPTH_MAX}
     )
     select o.organization_id, o.name,
       coalesce((select array_agg(up.parent_id::text order by up.depth) from up where up.parent_id is not null), '{}') as ancestors
     from organization o where o.organization_id = $1::uuid`,
    [id],
  )
  const [row] = rows
  return row === undefined ? undefined : { id: row.organization_id, name: row.name, ancestors: row.ancestors }
}
