import { formatDecimal, formatInstant, formatNano, meterScale, monthOf } from '@ascribe/units'
import { csvLine } from './csv.ts'
import type { Cell, CsvOptions } from './csv.ts'
import type { ExportRow } from './export-row.ts'
import { rememberLast } from './remember-last.ts'

/** The version of the FinOps Open Cost and Usage Specification that {@link focusLine} follows. */
export const FOCUS_VERSION = '1.2'

export type FocusOptions = CsvOptions & {
  /** Who sells and who sends the invoice. Default `Ascribe`. */
  readonly provider?: string
}

type DataType = 'Decimal' | 'String' | 'Date/Time' | 'JSON'
type Column = { readonly name: string; readonly type: DataType; readonly of: (row: ExportRow, provider: string) => Cell }
type Category = 'Usage' | 'Tax' | 'Credit' | 'Adjustment'

const RATE_PLACES = 18

/** What FOCUS calls the kind of a row. What is missing to a minimum or a commitment is no usage: it is an adjustment of the bill. */
function categoryOf({ kind, meter, amount }: ExportRow): Category {
  switch (kind) {
    case 'credit':
      // What goes back to credits is none.
      return amount > 0n ? 'Adjustment' : 'Credit'
    case 'tax':
      return 'Tax'
    case 'minimum':
    case 'commitment':
    case 'rounding':
    case 'credit_note':
      return 'Adjustment'
    case 'adjustment':
      return meter === '' ? 'Adjustment' : 'Usage'
    case 'usage':
    case 'tier':
    case 'package':
    case 'included':
      return 'Usage'
  }
}

/** Always with a fraction: a reader that guesses types from the first rows would take a column of whole numbers for integers. */
function decimal(text: string): Cell {
  return { number: text.includes('.') ? text : `${text}.0` }
}

const money = (row: ExportRow): Cell => decimal(formatNano(row.amount))
const rateText = rememberLast((rate: bigint) => formatDecimal(rate, RATE_PLACES))
const chargeStart = rememberLast(formatInstant)
const chargeEnd = rememberLast(formatInstant)
const periodStart = rememberLast((month: string) => boundOf(month, 'start'))
const periodEnd = rememberLast((month: string) => boundOf(month, 'end'))
const isUsage = (row: ExportRow): boolean => categoryOf(row) === 'Usage'
const text = (value: string | null): Cell => (value === null || value === '' ? null : value)

/** Meters that count in millionths are written in the unit that their name says: hours. A package is priced by the block. */
const scaleOf = ({ kind, model, meter, authId }: ExportRow): number => (kind === 'package' ? 0 : meterScale({ model, meter, authId }))

function quantityOf(row: ExportRow): Cell {
  return isUsage(row) && row.quantity !== null ? decimal(formatDecimal(row.quantity, scaleOf(row))) : null
}

function unitPriceOf(row: ExportRow): Cell {
  return isUsage(row) && row.rate !== null
    ? decimal(scaleOf(row) === 0 ? rateText(row.rate) : formatDecimal(row.rate, RATE_PLACES - scaleOf(row)))
    : null
}

/** Unit price × quantity, exact: a price has 18 places, so it has no more. What is not priced by quantity costs what is billed. */
function pricedCostOf(row: ExportRow): Cell {
  if (!isUsage(row) || row.rate === null || row.quantity === null) return money(row)
  return decimal(formatDecimal(row.rate * row.quantity, RATE_PLACES))
}

/** What one unit of a meter is called, as FOCUS writes units; a package is priced by the block. */
export function unitOf({ kind, meter }: { readonly kind: ExportRow['kind']; readonly meter: string }): string {
  if (kind === 'package') return 'Blocks'
  if (meter.endsWith('tokens') || meter.startsWith('input_') || meter.startsWith('output_')) return 'Tokens'
  const words = meter.split('_').filter((word) => word !== '')
  const last = words.at(-1) ?? ''
  const simple = ['requests', 'images', 'characters', 'seconds', 'minutes', 'hours', 'bytes', 'pages', 'calls']
  if (words.length <= 2 && simple.includes(last)) return capitalized(last)
  return words.map(capitalized).join(' ')
}

function capitalized(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`
}

const isMachine = ({ meter }: ExportRow): boolean => meter.startsWith('vm_')

function skuOf(row: ExportRow): string | null {
  return isUsage(row) ? `${row.model}/${row.meter}` : null
}

/** A price has one SKU for ever, and is the same for every customer who pays it. */
function skuPriceOf(row: ExportRow): string | null {
  if (!isUsage(row) || row.rate === null) return null
  return `${skuOf(row)}/${row.kind === 'adjustment' ? 'usage' : row.kind}/${rateText(row.rate)}`
}

function describe(row: ExportRow): string {
  const { kind, model, meter, description, corrects } = row
  const what = [model, meter].filter((part) => part !== '').join(' ')
  const words = [kind === 'usage' ? '' : kind.replace('_', ' '), what, description, corrects === null ? '' : `corrects ${corrects}`]
  return words.filter((part) => part !== '').join(', ')
}

function boundOf(month: string, bound: 'start' | 'end'): string {
  const period = monthOf(month)
  return period === undefined ? '' : formatInstant(period[bound])
}

const perUsage =
  (value: (row: ExportRow) => Cell) =>
  (row: ExportRow): Cell =>
    isUsage(row) ? value(row) : null

/**
 * FOCUS 1.2 CostAndUsage, its columns first and in the order of their names, then ours with `x_`. Columns of what we do not have
 * (commitment discounts, capacity reservations, zones, tags) are left out, as the specification says.
 */
const COLUMNS: readonly Column[] = [
  { name: 'BilledCost', type: 'Decimal', of: money },
  { name: 'BillingAccountId', type: 'String', of: (row) => row.organizationId },
  { name: 'BillingAccountName', type: 'String', of: (row) => row.organizationName },
  { name: 'BillingAccountType', type: 'String', of: () => 'Organization' },
  { name: 'BillingCurrency', type: 'String', of: (row) => row.currency },
  { name: 'BillingPeriodEnd', type: 'Date/Time', of: (row) => periodEnd(row.month) },
  { name: 'BillingPeriodStart', type: 'Date/Time', of: (row) => periodStart(row.month) },
  { name: 'ChargeCategory', type: 'String', of: categoryOf },
  { name: 'ChargeClass', type: 'String', of: (row) => (row.kind === 'adjustment' || row.corrects !== null ? 'Correction' : null) },
  { name: 'ChargeDescription', type: 'String', of: describe },
  { name: 'ChargeFrequency', type: 'String', of: frequencyOf },
  { name: 'ChargePeriodEnd', type: 'Date/Time', of: (row) => chargeEnd(row.end) },
  { name: 'ChargePeriodStart', type: 'Date/Time', of: (row) => chargeStart(row.start) },
  { name: 'ConsumedQuantity', type: 'Decimal', of: quantityOf },
  { name: 'ConsumedUnit', type: 'String', of: (row) => (quantityOf(row) === null ? null : unitOf(row)) },
  { name: 'ContractedCost', type: 'Decimal', of: pricedCostOf },
  { name: 'ContractedUnitPrice', type: 'Decimal', of: unitPriceOf },
  { name: 'EffectiveCost', type: 'Decimal', of: money },
  { name: 'InvoiceId', type: 'String', of: (row) => row.invoice },
  { name: 'InvoiceIssuerName', type: 'String', of: (_, provider) => provider },
  { name: 'ListCost', type: 'Decimal', of: pricedCostOf },
  { name: 'ListUnitPrice', type: 'Decimal', of: unitPriceOf },
  { name: 'PricingCategory', type: 'String', of: perUsage(() => 'Standard') },
  { name: 'PricingCurrency', type: 'String', of: (row) => row.currency },
  { name: 'PricingCurrencyContractedUnitPrice', type: 'Decimal', of: unitPriceOf },
  { name: 'PricingCurrencyEffectiveCost', type: 'Decimal', of: money },
  { name: 'PricingCurrencyListUnitPrice', type: 'Decimal', of: unitPriceOf },
  { name: 'PricingQuantity', type: 'Decimal', of: quantityOf },
  { name: 'PricingUnit', type: 'String', of: (row) => (quantityOf(row) === null ? null : unitOf(row)) },
  { name: 'ProviderName', type: 'String', of: (_, provider) => provider },
  { name: 'PublisherName', type: 'String', of: (_, provider) => provider },
  { name: 'ResourceId', type: 'String', of: (row) => text(row.resourceId) },
  { name: 'ResourceName', type: 'String', of: () => null },
  {
    name: 'ResourceType',
    type: 'String',
    of: (row) => (row.resourceId === '' ? null : isMachine(row) ? 'Virtual Machine' : 'Model Deployment'),
  },
  { name: 'ServiceCategory', type: 'String', of: (row) => (isMachine(row) ? 'Compute' : 'AI and Machine Learning') },
  { name: 'ServiceName', type: 'String', of: (row) => (isMachine(row) ? 'Virtual Machines' : 'Inference') },
  { name: 'ServiceSubcategory', type: 'String', of: (row) => (isMachine(row) ? 'Virtual Machines' : 'Generative AI') },
  { name: 'SkuId', type: 'String', of: skuOf },
  { name: 'SkuMeter', type: 'String', of: perUsage((row) => text(row.meter)) },
  { name: 'SkuPriceDetails', type: 'JSON', of: (row) => (skuPriceOf(row) === null ? null : priceDetails(row)) },
  { name: 'SkuPriceId', type: 'String', of: skuPriceOf },
  { name: 'x_AuthId', type: 'String', of: (row) => text(row.authId) },
  { name: 'x_UserId', type: 'String', of: (row) => text(row.userId) },
  { name: 'x_GroupId', type: 'String', of: (row) => text(row.groupId) },
  { name: 'x_Model', type: 'String', of: (row) => text(row.model) },
  { name: 'x_BaseModel', type: 'String', of: (row) => text(row.baseModel) },
  { name: 'x_LineKind', type: 'String', of: (row) => row.kind },
  { name: 'x_CorrectedMonth', type: 'String', of: (row) => text(row.corrects) },
  { name: 'x_RecordCount', type: 'Decimal', of: (row) => (row.recordCount === null ? null : decimal(row.recordCount.toString())) },
]

function frequencyOf({ kind }: ExportRow): Cell {
  if (kind === 'minimum' || kind === 'commitment') return 'Recurring'
  return kind === 'credit' || kind === 'tax' || kind === 'rounding' || kind === 'credit_note' ? 'One-Time' : 'Usage-Based'
}

function priceDetails(row: ExportRow): Cell {
  const { model, baseModel, kind } = row
  return JSON.stringify({ x_Model: model, ...(baseModel === null ? {} : { x_BaseModel: baseModel }), x_Pricing: kind })
}

/** The header of a FOCUS file. */
export const FOCUS_HEADER: string = csvLine(COLUMNS.map(({ name }) => name))

/** A row of a FOCUS file. Decimals are exact. */
export function focusLine(row: ExportRow, options: FocusOptions = {}): string {
  const { provider = 'Ascribe' } = options
  return csvLine(
    COLUMNS.map(({ of }) => of(row, provider)),
    options,
  )
}

/** The metadata that FOCUS wants beside the data: version and columns. */
export function focusMetadata(): object {
  return {
    DataGenerator: { DataGenerator: 'Ascribe' },
    Schema: {
      FocusVersion: FOCUS_VERSION,
      ColumnDefinition: COLUMNS.map(({ name, type }) => ({
        ColumnName: name,
        DataType: type === 'Date/Time' ? 'DATETIME' : type.toUpperCase(),
        ...(type === 'Decimal' && { NumericPrecision: 38, NumberScale: RATE_PLACES }),
      })),
    },
  }
}
