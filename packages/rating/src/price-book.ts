import type { Currency, Rate } from '@ascribe/units'

/** What each meter costs a unit. A meter that is not in it has no price; one at 0 is free on purpose. */
export type Rates = ReadonlyMap<string, Rate>

/** What a fine-tune costs, given what its base model costs. A `factor` is in 10^-18; a `markup` goes on every token. */
export type Premium =
  | { readonly policy: 'identity' }
  | { readonly policy: 'multiplier'; readonly factor: bigint }
  | { readonly policy: 'markup'; readonly markup: Rate }

/** What everything costs: immutable, complete, exact. Fine-tunes are resolved already, premium included. */
export type PriceBook = {
  readonly currency: Currency
  /** SHA-256 of the bytes of the file, lower-case hex: same bytes, same book. */
  readonly sha256: string
  readonly premium: Premium
  /** By the id of a base model. */
  readonly models: ReadonlyMap<string, Rates>
  /** By the id of a fine-tune that the file lists: its own rate, else its base model's with the premium. */
  readonly fineTunes: ReadonlyMap<string, Rates>
  /** By the id of a base model: what a fine-tune of it costs that the file does not list. */
  readonly derived: ReadonlyMap<string, Rates>
  /** By the type of GPU. Kept as the file has them; nothing is priced by them. */
  readonly gpuFloorRates: ReadonlyMap<string, Rate>
}

/** What names the price of a record: the model that the engine named, and what it is said to be a fine-tune of. */
export type PriceKey = { readonly model?: string | undefined; readonly baseModel?: string | undefined }

/** The rates of a model, and by which of the three ways they were found. */
export type ResolvedPrice = { readonly rates: Rates; readonly via: 'model' | 'fine_tune' | 'base_model' }

/** What a model id starts with when it is a fine-tune's: no base model may be called so. */
export const FINE_TUNE_PREFIX = 'ft:'

/**
 * Finds the rates of a model: its own; else those of a listed fine-tune; else, for an `ft:` id, its base model's with the
 * premium. One hop: a base model is never itself a fine-tune. `undefined` when there are none, which is never a price of 0.
 */
export function resolvePrice(book: PriceBook, { model, baseModel }: PriceKey): ResolvedPrice | undefined {
  if (model === undefined) return undefined
  const own = book.models.get(model)
  if (own !== undefined) return { rates: own, via: 'model' }
  const listed = book.fineTunes.get(model)
  if (listed !== undefined) return { rates: listed, via: 'fine_tune' }
  if (baseModel === undefined || !model.startsWith(FINE_TUNE_PREFIX)) return undefined
  const derived = book.derived.get(baseModel)
  return derived === undefined ? undefined : { rates: derived, via: 'base_model' }
}
