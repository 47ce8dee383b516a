import { isMachineModel } from '@ascribe/units'
import type { Currency, Rate } from '@ascribe/units'
import type { Agreement } from './agreements.ts'
import type { PeriodPrice } from './period-price.ts'

/**
 * A list price of what somebody else bills: the cloud, to the owner of the account that a machine is in. Its quantity and value are shown as a
 * memo, and are part of nothing that is owed (ADR 0090).
 */
export type ProviderPrice = { readonly kind: 'provider'; readonly rate: Rate }

/** The price of one unit; one that only the total of a month gives, where meters of one `pool` are counted together; or one that is settled elsewhere. */
export type MeterPrice = Rate | ProviderPrice | (PeriodPrice & { readonly pool: string })

/** What each meter costs. A meter that is not in it has no price; one at 0 is free on purpose. */
export type Rates = ReadonlyMap<string, MeterPrice>

/** What a fine-tune costs, given what its base model costs. A `factor` is in 10^-18; a `markup` goes on every token. */
export type Premium =
  | { readonly policy: 'identity' }
  | { readonly policy: 'multiplier'; readonly factor: bigint }
  | { readonly policy: 'markup'; readonly markup: Rate }

/** Rates of models. Fine-tunes are resolved already, premium included. */
export type ModelRates = {
  /** By the id of a base model. */
  readonly models: ReadonlyMap<string, Rates>
  /** By the id of a fine-tune that the file lists: its own rate, else its base model's with the premium. */
  readonly fineTunes: ReadonlyMap<string, Rates>
  /** By the id of a base model: what a fine-tune of it costs that the file does not list. */
  readonly derived: ReadonlyMap<string, Rates>
}

/** What everything costs: immutable, complete, exact. */
export type PriceBook = ModelRates & {
  readonly currency: Currency
  /** SHA-256 of the bytes of the file, lower-case hex: same bytes, same book. */
  readonly sha256: string
  readonly premium: Premium
  /** What organizations pay that have prices of their own, by id in lower case: complete, so that it stands for the whole book. */
  readonly overrides: ReadonlyMap<string, ModelRates>
  readonly minimums: readonly Agreement[]
  readonly commitments: readonly Agreement[]
  /** By the type of GPU. Kept as the file has them; nothing is priced by them. */
  readonly gpuFloorRates: ReadonlyMap<string, Rate>
}

/** What names the price of a record: the model that the engine named, what it is said to be a fine-tune of, and whose it is. */
export type PriceKey = {
  readonly model?: string | undefined
  readonly baseModel?: string | undefined
  /** Default: nobody with prices of its own. */
  readonly organizationId?: string | undefined
  /** Whether a controller states it, in millionths of an hour; prices of machines are for that, and no others are. Default: it does not matter. */
  readonly isMachine?: boolean | undefined
}

/** The rates of a model, and by which of the three ways they were found. */
export type ResolvedPrice = { readonly rates: Rates; readonly via: 'model' | 'fine_tune' | 'base_model' }

/** What a model id starts with when it is a fine-tune's: no base model may be called so. */
export const FINE_TUNE_PREFIX = 'ft:'

/**
 * Finds the rates of a model: its own; else those of a listed fine-tune; else, for an `ft:` id, its base model's with the
 * premium. One hop: a base model is never itself a fine-tune. `undefined` when there are none, which is never a price of 0.
 */
export function resolvePrice(book: PriceBook, { model, baseModel, organizationId, isMachine }: PriceKey): ResolvedPrice | undefined {
  if (model === undefined) return undefined
  const prices = organizationId === undefined ? book : (book.overrides.get(organizationId.toLowerCase()) ?? book)
  const own = prices.models.get(model)
  if (own !== undefined && isMachineModel(model) && isMachine !== undefined && isMachine !== pricesMachines(model, own)) return undefined
  if (own !== undefined) return { rates: own, via: 'model' }
  const listed = prices.fineTunes.get(model)
  if (listed !== undefined) return { rates: listed, via: 'fine_tune' }
  if (baseModel === undefined || !model.startsWith(FINE_TUNE_PREFIX)) return undefined
  const derived = prices.derived.get(baseModel)
  return derived === undefined ? undefined : { rates: derived, via: 'base_model' }
}

/** Whether rates of a model are of virtual machines: those have no tokens, which all others have to price. */
export function pricesMachines(model: string, rates: Rates): boolean {
  return isMachineModel(model) && !rates.has('input_tokens')
}

/** The most that one more unit can cost: for holds and estimates, where the total of the month is not known. */
export function ceilingRate(price: MeterPrice): Rate {
  if (typeof price === 'bigint') return price
  switch (price.kind) {
    case 'linear':
      return price.rate
    // Nobody here is owed it, so it is held against no budget.
    case 'provider':
      return 0n
    case 'package':
      return price.price
    case 'graduated':
    case 'volume':
      return price.tiers.reduce((most, { rate }) => (rate > most ? rate : most), 0n)
  }
}
