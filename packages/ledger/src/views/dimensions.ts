import { unseen } from './unseen.ts'

/** What costs and usage can be told apart by, and filtered by. Every key is text; absent (a line of the whole month has no key) is `''`. */
export type Dimension =
  | 'organization'
  | 'apiKey'
  | 'user'
  | 'group'
  | 'resource'
  | 'region'
  | 'model'
  | 'meter'
  /** usage, or the kind of a line that no hourly charge makes: tier, package, included, minimum, commitment, adjustment. */
  | 'category'
  /** The price that applied: `SEQUENCE:MODEL:METER`. */
  | 'price'

export const DIMENSIONS: readonly Dimension[] = [
  'organization',
  'apiKey',
  'user',
  'group',
  'resource',
  'region',
  'model',
  'meter',
  'category',
  'price',
]

/** Those by which records can be told apart: a record has several meters, and one price for each. */
export type RecordDimension = Exclude<Dimension, 'meter' | 'category' | 'price'>

/** What usage can be narrowed by: a meter leaves the quantities of that meter. */
export type UsageFilterDimension = RecordDimension | 'meter'

/** What a resource is called whose place nobody has said. */
export const NOWHERE = 'global'

/** Over the rows of {@link ./cost-source.ts}; `g` is what the directory says of resources. */
export const DIMENSION_SQL: Readonly<Record<Dimension, string>> = {
  organization: 't.organization_id::text',
  apiKey: 't.auth_id',
  user: "coalesce(t.user_id, '')",
  group: "coalesce(t.group_id, '')",
  resource: 't.resource_id',
  region: `coalesce(nullif(g.region, ''), '${NOWHERE}')`,
  model: "coalesce(t.model, '')",
  meter: 't.meter',
  category: 't.category',
  price: `case when t.meter = '' then '' else t.price_sequence::text || ':' || t.model || ':' || t.meter end`,
}

/** Keys that are wanted, by dimension; several of one: any of them; several dimensions: all of them. */
export type DimensionFilter<Name extends Dimension = Dimension> = Readonly<Partial<Record<Name, readonly string[]>>>

/**
 * SQL that is true for rows that a filter lets through, and the parameters that it takes, numbered from `first`.
 */
export function filterSql(
  filter: DimensionFilter,
  first: number,
): { readonly sql: string; readonly values: readonly (readonly string[])[] } {
  const wanted = Object.entries(filter).filter(([, keys]) => keys !== undefined) as [Dimension, readonly string[]][]
  return {
    sql: wanted.map(([name], index) => ` and ${DIMENSION_SQL[name]} = any(${unseen(first + index, 'text[]')})`).join(''),
    values: wanted.map(([, keys]) => keys),
  }
}

/** Whether a question needs to know where resources are. */
export function asksRegion(by: readonly Dimension[], filter: DimensionFilter): boolean {
  return by.includes('region') || filter.region !== undefined
}

/** What the directory says now of the resources of `t`, as `g`. Primary key of resource_version. */
export const RESOURCE_JOIN = `
left join lateral (
  select v.region from resource_version v where v.resource_id = t.resource_id and v.valid_from <= clock_timestamp()
  order by v.valid_from desc, v.revision desc limit 1
) g on true`
