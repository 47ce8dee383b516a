import type { DecimalText, UsageEvent } from '../types.ts'
import type { ReportFilter } from './cost-types.ts'

export type PageQuery = { readonly limit: number; readonly cursor?: string | undefined }

type DetailFilter = ReportFilter<'apiKey' | 'user' | 'group' | 'resource' | 'region' | 'model' | 'meter'> & {
  readonly from: string
  readonly to: string
}
export type ChargesQuery = PageQuery & DetailFilter
/** What became of a record: it is charged, free, or in no amount. */
export type RecordState = 'charged' | 'free' | 'unpriced' | 'unattributed' | 'unknown'

export type RecordsQuery = PageQuery &
  DetailFilter & {
    /** Any of these. */
    readonly state?: readonly RecordState[] | undefined
    readonly provenance?: readonly UsageEvent['provenance'][] | undefined
  }

/** The entry of the prices that applied: what this organization pays, and where it stands. */
export type PriceJson = {
  readonly version: number
  /** Absent: from the beginning. */
  readonly effectiveFrom?: string | undefined
  readonly currency: string
  readonly sha256: string
  readonly via: 'model' | 'fine_tune' | 'base_model'
  readonly entry: string
  /** The organization has prices of its own. */
  readonly own: boolean
  readonly meter: string
  readonly rate?: DecimalText | undefined
  readonly description?: string | undefined
}

export type ChargeJson = {
  readonly id: string
  readonly start: string
  readonly end: string
  readonly apiKey: string
  readonly user: string | null
  readonly group: string | null
  readonly resource: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceVersion: number
  readonly rate: DecimalText
  readonly quantity: string
  /** Quantity × rate, rounded once to 10^-9. */
  readonly amount: DecimalText
  readonly currency: string
  readonly records: number
  /** Exclusive or of the ids of the records that were charged, hex. */
  readonly recordsDigest?: string | undefined
}
export type ChargesPage = { readonly data: readonly ChargeJson[]; readonly nextCursor?: string | undefined }
export type ChargeParams = { readonly id: string; readonly charge: string }
export type ChargeDetail = ChargeJson & { readonly price?: PriceJson | undefined }

/** As much of a price as says what a record's quantity costs; a charge has all of it. */
export type RecordPriceJson = Pick<PriceJson, 'version' | 'effectiveFrom' | 'entry' | 'own' | 'rate' | 'description'>
export type RecordChargeJson = {
  readonly meter: string
  readonly quantity: string
  readonly amount?: DecimalText | undefined
  readonly price: RecordPriceJson
}
export type RecordJson = {
  readonly event: UsageEvent
  readonly state: RecordState
  /** Of its charges; absent where there are none. */
  readonly currency?: string | undefined
  /** Exact, before a charge of the hour is rounded. */
  readonly charges: readonly RecordChargeJson[]
}
export type RecordsPage = { readonly data: readonly RecordJson[]; readonly nextCursor?: string | undefined }
export type RecordParams = { readonly id: string; readonly record: string }

export type ExportQuery = ReportFilter & {
  readonly from: string
  readonly to: string
  readonly format: 'csv' | 'focus'
  readonly rows: 'all' | 'open' | 'invoiced'
  /** Also of the organizations directly under this one. */
  readonly children: boolean
}
