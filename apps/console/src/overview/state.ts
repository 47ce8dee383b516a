import type { CostDimension, RecordState, RecordsQuery } from '@ascribe/contract/reads'
import type { Day } from '../format/dates.ts'

/** What bars and table count. Money and quantities never share an axis, so it is one of them. */
export type Metric = 'cost' | 'tokens' | 'hours'
export type View = 'daily' | 'cumulative'
/** Against what: as much time right before, the same days a year before, or nothing. */
export type Comparison = 'previous' | 'year' | 'none'
export type SortColumn = 'name' | 'quantity' | 'change' | 'amount'
export type SortDirection = 'ascending' | 'descending'
export type SortBy = { readonly column: SortColumn; readonly direction: SortDirection }
/** Keys by dimension; several of one: any of them; several dimensions: all of them. The empty key: what has none. */
export type Filters = Readonly<Partial<Record<CostDimension, readonly string[]>>>

/** One step of the way down from a day: a key of a dimension, or `records` for the list of them at once, at the end a record. */
export type Step = { readonly at: CostDimension | 'records' | 'record'; readonly key: string }

/** Which records are listed, by what became of them and by how they are known. Empty: all. */
export type RecordFilter = {
  readonly state: readonly RecordState[]
  readonly provenance: readonly Provenance[]
}
export type Provenance = NonNullable<RecordsQuery['provenance']>[number]

/** Everything that decides what the page shows. All of it stands in the URL. */
export type OverviewState = {
  /** UTC days, both inclusive. */
  readonly from: Day
  readonly to: Day
  readonly by: CostDimension
  readonly filters: Filters
  readonly metric: Metric
  readonly view: View
  readonly compare: Comparison
  readonly sort: SortBy
  /** Keys that are left out of the chart; totals have them. */
  readonly hidden: readonly string[]
  /** Which currency, where children have several. */
  readonly currency: string | undefined
  /** The drawer is open: on a day, or, with steps alone, on the whole range. */
  readonly day: Day | undefined
  readonly open: readonly Step[]
  readonly records: RecordFilter
}

export const DIMENSION_NAMES: Readonly<Record<CostDimension, string>> = {
  model: 'Model',
  apiKey: 'API key',
  user: 'User',
  group: 'Group',
  resource: 'Resource',
  region: 'Region',
  meter: 'Meter',
  category: 'Category',
  price: 'Price',
  organization: 'Organization',
}

/** In running text: `model`, `API key`. */
export function dimensionWords(dimension: CostDimension): string {
  return dimension === 'apiKey' ? 'API key' : DIMENSION_NAMES[dimension].toLowerCase()
}

/** In the order in which they are offered. */
export const DIMENSIONS: readonly CostDimension[] = [
  'model',
  'apiKey',
  'user',
  'group',
  'resource',
  'region',
  'meter',
  'category',
  'price',
  'organization',
]

/** A plural for "8 models"; in running text. */
export const DIMENSION_PLURALS: Readonly<Record<CostDimension, string>> = {
  model: 'models',
  apiKey: 'API keys',
  user: 'users',
  group: 'groups',
  resource: 'resources',
  region: 'regions',
  meter: 'meters',
  category: 'categories',
  price: 'prices',
  organization: 'organizations',
}

/** Quantities are facts of usage; a category or a price is what became of them, so these two narrow money alone. */
export function isOfUsage(dimension: CostDimension): boolean {
  return dimension !== 'category' && dimension !== 'price'
}

/** The filters that a metric can be narrowed by, and those that it cannot. */
export function filtersOf(metric: Metric, filters: Filters): { readonly used: Filters; readonly unused: readonly CostDimension[] } {
  if (metric === 'cost') return { used: filters, unused: [] }
  const names = DIMENSIONS.filter((name) => filters[name] !== undefined)
  return {
    used: Object.fromEntries(names.filter(isOfUsage).map((name) => [name, filters[name]])),
    unused: names.filter((name) => !isOfUsage(name)),
  }
}

export function hasFilters(filters: Filters): boolean {
  return DIMENSIONS.some((name) => (filters[name]?.length ?? 0) > 0)
}

/** The same filters with other keys of one dimension; none of them: without it. */
export function withFilter(filters: Filters, dimension: CostDimension, keys: readonly string[]): Filters {
  const { [dimension]: _, ...rest } = filters
  return keys.length === 0 ? rest : { ...rest, [dimension]: keys }
}
