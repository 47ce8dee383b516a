import type { DecimalText } from '../types.ts'

export type CostDimension = 'organization' | 'apiKey' | 'user' | 'group' | 'resource' | 'region' | 'model' | 'meter' | 'category' | 'price'
export type UsageDimension = Exclude<CostDimension, 'meter' | 'category' | 'price'>
export type ReportGrain = 'hour' | 'day' | 'month' | 'total'

/** Keys by dimension; several of one: any of them; several dimensions: all of them. */
export type ReportFilter<Name extends string = CostDimension> = { readonly [Each in Name]?: readonly string[] | undefined }

export type ReportQuery = {
  /** UTC days, both inclusive. */
  readonly from: string
  readonly to: string
  readonly grain: ReportGrain
  /** Also of the organizations that stand directly under this one. */
  readonly children: boolean
  readonly limit: number
  readonly cursor?: string | undefined
}

export type CostsQuery = ReportQuery &
  ReportFilter & { readonly groupBy: readonly CostDimension[]; readonly compare?: 'previous' | undefined }
/** With meters: only what used any of them, and only these of its quantities. To tell meters apart needs no grouping: every row has each. */
export type UsageQuery = ReportQuery & ReportFilter<UsageDimension | 'meter'> & { readonly groupBy: readonly UsageDimension[] }

/** How new what is shown is. */
export type AsOf = {
  /** Admission of the newest record that is rated; absent: none is. */
  readonly newestRecordAt?: string | undefined
  /** Every hour that began before this is rated with all records that the ledger has. */
  readonly ratedBefore: string
  /** Records of the window that are in no amount: without a price, or of unknown quantity. */
  readonly heldRecords: number
}

export type Total = { readonly currency: string; readonly amount: DecimalText }

/** One key for each dimension of `groupBy`; null: none, as on a line of the whole month. */
export type ReportKeys<Name extends string = CostDimension> = { readonly [Each in Name]?: string | null | undefined }

export type CostEntry = {
  /** Half-open. */
  readonly start: string
  readonly end: string
  readonly keys: ReportKeys
  readonly currency: string
  readonly amount: DecimalText
  /** Of the same keys in the previous window; with `compare`, which also gives those that are gone, with an amount of 0. */
  readonly previousAmount?: DecimalText | undefined
}

export type CostReport = {
  /** Half-open: the window that was asked for. */
  readonly start: string
  readonly end: string
  /** Of the whole window, not of this page; by currency. Of whole months, and of the present one until today, that of the statements. */
  readonly totals: readonly Total[]
  readonly previous?: { readonly start: string; readonly end: string; readonly totals: readonly Total[] } | undefined
  readonly asOf: AsOf
  readonly data: readonly CostEntry[]
  readonly nextCursor?: string | undefined
}

export type UsageEntry = {
  readonly start: string
  readonly end: string
  readonly keys: ReportKeys<UsageDimension>
  readonly records: number
  readonly heldRecords: number
  readonly meters: Readonly<Record<string, string>>
}

export type UsageReport = {
  readonly start: string
  readonly end: string
  readonly asOf: AsOf
  readonly data: readonly UsageEntry[]
  readonly nextCursor?: string | undefined
}

export type FreshnessQuery = { readonly from?: string | undefined; readonly to?: string | undefined; readonly children: boolean }

export type DimensionParams = { readonly id: string; readonly dimension: CatalogueName }
export type CatalogueName = Exclude<CostDimension, 'category' | 'price'>
export type CatalogueQuery = { readonly children: boolean; readonly limit: number; readonly cursor?: string | undefined }
export type CatalogueEntryJson = {
  readonly key: string
  readonly name?: string | undefined
  readonly firstUsed: string
  readonly lastUsed: string
}
export type CataloguePageJson = { readonly data: readonly CatalogueEntryJson[]; readonly nextCursor?: string | undefined }
