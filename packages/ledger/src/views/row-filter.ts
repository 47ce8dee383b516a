import { NOWHERE } from './dimensions.ts'

/** Which charges or records are wanted: any of these keys of a dimension, `''` for those that have none; of several dimensions, all. */
export type RowFilter = {
  readonly authIds?: readonly string[]
  readonly userIds?: readonly string[]
  readonly groupIds?: readonly string[]
  readonly resourceIds?: readonly string[]
  readonly regions?: readonly string[]
  readonly models?: readonly string[]
  readonly meters?: readonly string[]
}

/** SQL parameters for the keys of a dimension; null: all are wanted. */
export function keysOrAll(keys: readonly string[] | undefined): readonly string[] | null {
  return keys === undefined ? null : [...keys]
}

/** No text of PostgreSQL holds NUL, so nothing has such a key. */
export function holdsNul(filter: RowFilter): boolean {
  const { authIds, userIds, groupIds, resourceIds, regions, models, meters } = filter
  return [authIds, userIds, groupIds, resourceIds, regions, models, meters].some((keys) => keys?.some((text) => text.includes('\0')))
}

/** SQL of the region that a resource is in now, as reports say it. Primary key of resource_version. */
export function regionSql(resource: string): string {
  return `coalesce((
    select nullif(v.region, '') from resource_version v where v.resource_id = ${resource} and v.valid_from <= clock_timestamp()
    order by v.valid_from desc, v.revision desc limit 1), '${NOWHERE}')`
}
