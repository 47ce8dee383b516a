import type { Queryable } from '@ascribe/postgres'
import { parseDay } from './day-window.ts'
import { NOWHERE } from './dimensions.ts'

/** Dimensions whose keys an organization has many of; the others are few and known. */
export type CatalogueDimension = 'organization' | 'apiKey' | 'user' | 'group' | 'resource' | 'region' | 'model' | 'meter'

/** A key of a dimension. Keys come in order of their first use, then by themselves, so that a key keeps its place and its colour. */
export type CatalogueEntry = {
  readonly key: string
  /** What people call it; absent: nothing. */
  readonly name?: string
  /** UTC days, `2026-11-22`. */
  readonly firstUsed: string
  readonly lastUsed: string
}

export type CataloguePage = { readonly entries: readonly CatalogueEntry[]; readonly next: readonly string[] | undefined }

type Source = {
  readonly key: string
  /** SQL of its name, for a key of `k`; must give one row at most. */
  readonly name: string
  readonly table: 'usage' | 'cost'
}

const AT_NOW = 'v.valid_from <= clock_timestamp() order by v.valid_from desc, v.revision desc limit 1'

const SOURCES: Readonly<Record<CatalogueDimension, Source>> = {
  organization: {
    key: 't.organization_id::text',
    name: 'select o.name from organization o where o.organization_id = k.key::uuid',
    table: 'usage',
  },
  apiKey: { key: 't.auth_id', name: 'select c.name from credential c where c.auth_id = k.key', table: 'usage' },
  user: { key: 't.user_id', name: `select v.name from user_version v where v.user_id = k.key and ${AT_NOW}`, table: 'usage' },
  group: { key: 't.group_id', name: `select v.name from group_version v where v.group_id = k.key and ${AT_NOW}`, table: 'usage' },
  resource: {
    key: 't.resource_id',
    name: `select v.name from resource_version v where v.resource_id = k.key and ${AT_NOW}`,
    table: 'usage',
  },
  region: {
    key: `coalesce(nullif((select v.region from resource_version v where v.resource_id = t.resource_id and ${AT_NOW}), ''), '${NOWHERE}')`,
    name: 'select null::text as name where false',
    table: 'usage',
  },
  model: { key: 't.model', name: 'select null::text as name where false', table: 'usage' },
  meter: { key: 't.meter', name: 'select null::text as name where false', table: 'cost' },
}

// All of an organization's history, from days that are summed and hours of days that are not: only of days that have hours at all. Indexes
// usage_day_organization, cost_day_organization, usage_hour_organization, charge_organization.
const ROWS: Readonly<Record<Source['table'], string>> = {
  usage: `
select day, organization_id, auth_id, user_id, group_id, resource_id, model from usage_day where organization_id = any($1::uuid[])
union all
select (hour at time zone 'UTC')::date, organization_id, auth_id, user_id, group_id, resource_id, model
from usage_hour u where organization_id = any($1::uuid[]) and state <> 'unattributed' and hour >= (
  select coalesce(min(m.day), $2::date)::timestamp at time zone 'UTC' from charge_day_mark m)
  and not exists (select from cost_day_built b where b.day = (u.hour at time zone 'UTC')::date)`,
  cost: `
select day, organization_id, meter from cost_day where organization_id = any($1::uuid[])
union all
select (hour at time zone 'UTC')::date, organization_id, meter
from (select hour, organization_id, meter from charge union all select hour, organization_id, meter from period_quantity) c
where organization_id = any($1::uuid[]) and hour >= (
  select coalesce(min(m.day), $2::date)::timestamp at time zone 'UTC' from charge_day_mark m)
  and not exists (select from cost_day_built b where b.day = (c.hour at time zone 'UTC')::date)`,
}

export type CatalogueQuery = {
  readonly organizationIds: readonly string[]
  readonly dimension: CatalogueDimension
  /** Days from here on may not be summed even if no mark says so. */
  readonly today: string
  readonly limit: number
  readonly after?: readonly string[]
}

/** The keys that a dimension ever had in these organizations' usage, in order of their first use. */
export async function readCatalogue(db: Queryable, query: CatalogueQuery): Promise<CataloguePage> {
  const { organizationIds, dimension, today, limit, after } = query
  const { key, name, table } = SOURCES[dimension]
  const [day = '', place = ''] = after ?? []
  const { rows } = await db.query<{ key: string; name: string | null; first: string; last: string }>(
    `select k.key, n.name, k.first::text as first, k.last::text as last
     from (
       select key, min(day) as first, max(day) as last from (select t.day, ${key} as key from (${ROWS[table]}) t) t
       where key is not null and key <> '' group by key
     ) k
     left join lateral (${name}) n on true
     where ($3::date is null or (k.first, k.key collate "C") > ($3::date, $4::text))
     order by k.first, k.key collate "C" limit $5::integer`,
    [[...organizationIds], today, parseDay(day) === undefined ? null : day, place, limit + 1],
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    entries: page.map((row) => ({ key: row.key, ...(row.name !== null && { name: row.name }), firstUsed: row.first, lastUsed: row.last })),
    next: rows.length > limit && last !== undefined ? [last.first, last.key] : undefined,
  }
}
