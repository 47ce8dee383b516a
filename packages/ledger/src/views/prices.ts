import type { Database } from '@ascribe/postgres'
import { describePrice, pricesMachines, resolvePrice } from '@ascribe/rating'
import { formatMeterRate, formatRate } from '@ascribe/units'
import type { Currency, Quantity, Rate } from '@ascribe/units'
import { startOf } from '../instants.ts'
import type { Start } from '../instants.ts'
import { readDatedBooks, shelfOf } from '../price-versions.ts'
import type { PricedVersion } from '../recount.ts'
import type { ViewedRecord } from './records.ts'

/** A price as far as the organization that pays it may see it: its own entry, never the book, which holds what others pay. */
export type AppliedPrice = {
  /** Which version of the prices: their number in the order in which they were applied. */
  readonly version: number
  readonly effectiveFrom: Start
  readonly currency: Currency
  /** Hex SHA-256 of the book's bytes. */
  readonly sha256: string
  /** By which entry: the model's own, that of a fine-tune, or its base model's with the premium. */
  readonly via: 'model' | 'fine_tune' | 'base_model'
  /** Where that stands in the book: `base_models.small`, `fine_tunes.ft:x`; below `overrides` for prices of the organization's own. */
  readonly entry: string
  /** Whether the organization has prices of its own. */
  readonly own: boolean
  readonly meter: string
  /** Decimal price of one unit as the meter's name says it; absent: the total of the month prices it, or somebody else bills it. */
  readonly rate?: string
  /** In words, where there is no rate of ours. */
  readonly description?: string
}

type Priced = {
  readonly organizationId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
}

/** Finds the entry of the book that priced a meter of a model. `undefined` when that version has none. */
export async function readAppliedPrice(db: Database, priced: Priced): Promise<AppliedPrice | undefined> {
  const version = (await readDatedBooks(db)).find(({ sequence }) => sequence === priced.priceSequence)
  return version && appliedPrice(priced, { ...version, book: await shelfOf(db).bookOf(db, version) })
}

function appliedPrice(priced: Priced, { book, ...version }: PricedVersion): AppliedPrice | undefined {
  const { organizationId, model, baseModel, meter } = priced
  const resolved = resolvePrice(book, { organizationId, model, baseModel: baseModel ?? undefined })
  const price = resolved?.rates.get(meter)
  if (resolved === undefined || price === undefined) return undefined
  const measure = { model: pricesMachines(model, resolved.rates) ? model : undefined, meter }
  const own = book.overrides.has(organizationId.toLowerCase())
  const section = { model: `base_models.${model}`, fine_tune: `fine_tunes.${model}`, base_model: `base_models.${baseModel ?? ''}` }[
    resolved.via
  ]
  return {
    version: version.sequence,
    effectiveFrom: startOf(version.effectiveFrom),
    currency: version.currency,
    sha256: version.sha256,
    via: resolved.via,
    entry: own ? `overrides.${organizationId}.${section}` : section,
    own,
    meter,
    ...(typeof price === 'bigint' ? { rate: formatMeterRate(measure, price) } : { description: describePrice(price, measure) }),
  }
}

/** What one meter of a record comes to: exact, where a charge is rounded once over its hour. */
export type RecordCharge = {
  readonly meter: string
  readonly quantity: Quantity
  readonly price: AppliedPrice
  /** Decimal, to 18 places; absent: the total of the month prices it. */
  readonly amount?: string
}

/** Says of a record which prices applied, meter by meter; nothing for one that is held or free. */
export function priceRecord({ record, organizationId = '', fate }: ViewedRecord): readonly RecordCharge[] {
  const { price: applied, model, baseModel } = fate
  if (applied === undefined || model === null) return []
  return Object.entries(record.meters).flatMap(([meter, quantity]) => {
    const rate = applied.rates.get(meter)
    if (quantity === 0 || rate === undefined) return []
    const price = appliedPrice({ organizationId, model, baseModel, meter, priceSequence: applied.sequence }, applied.version)
    if (price === undefined) return []
    return [{ meter, quantity: BigInt(quantity), price, ...(typeof rate === 'bigint' && { amount: exactAmount(rate, quantity) }) }]
  })
}

/** A rate is in 10^-18: the product is exact in as many places. */
function exactAmount(rate: Rate, quantity: number): string {
  return formatRate(rate * BigInt(quantity))
}
