import { NOWHERE, RESOURCE_JOIN, asksRegion, filterSql } from '../views/dimensions.ts'
import type { Dimension, DimensionFilter } from '../views/dimensions.ts'
import type { ExportKind, ExportRow } from './export-row.ts'

/** What to add to a question over rows `t` for a filter: conditions, the join that they need, and their parameters. */
export type NarrowSql = { readonly sql: string; readonly join: string; readonly values: readonly (readonly string[])[] }

/** SQL for a source whose rows all have one category; `undefined` when the filter wants none of that. Parameters are numbered from `first`. */
export function narrowSql(
  filter: DimensionFilter,
  { category, first }: { readonly category: ExportKind; readonly first: number },
): NarrowSql | undefined {
  const { category: categories, ...rest } = filter
  if (categories !== undefined && !categories.includes(category)) return undefined
  return { ...filterSql(rest, first), join: asksRegion([], filter) ? RESOURCE_JOIN : '' }
}

/**
 * Whether a filter lets a row of a whole month through, which is of no key, user, group or resource: the same keys that reports give it.
 * `priceSequence`: of a line that quantities are priced by.
 */
export function passes(row: ExportRow, filter: DimensionFilter, priceSequence: number | null): boolean {
  const keys: Readonly<Record<Dimension, string>> = {
    organization: row.organizationId,
    apiKey: row.authId,
    user: row.userId ?? '',
    group: row.groupId ?? '',
    resource: row.resourceId,
    region: NOWHERE,
    model: row.model,
    meter: row.meter,
    category: row.kind,
    price: row.meter === '' || priceSequence === null ? '' : `${priceSequence}:${row.model}:${row.meter}`,
  }
  return Object.entries(filter).every(([name, wanted]) => wanted === undefined || wanted.includes(keys[name as Dimension]))
}
