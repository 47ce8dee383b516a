import { assert } from '@ascribe/kit'
import { RATE_PLACES, divideHalfAwayFromZero } from '@ascribe/units'
import type { Nano, Quantity, Rate } from '@ascribe/units'
import { resolvePrice } from './price-book.ts'
import type { PriceBook, PriceKey } from './price-book.ts'

/** What is rated together: quantities of one model, by meter. */
export type QuantityGroup = PriceKey & { readonly quantities: Readonly<Record<string, Quantity>> }

/** A priced quantity of one meter. `amount` is `quantity` × `rate`, rounded once. */
export type GroupCharge = { readonly meter: string; readonly quantity: Quantity; readonly rate: Rate; readonly amount: Nano }

/** The charges of a group, by meter; or the meters without a rate, for which the whole group is held aside. */
export type PricedGroup =
  | { readonly kind: 'priced'; readonly charges: readonly GroupCharge[] }
  | { readonly kind: 'unpriced'; readonly missing: readonly string[] }

const NANO_PLACES = 9
const RATE_UNITS_PER_NANO = 10n ** BigInt(RATE_PLACES - NANO_PLACES)

/** Price of `quantity` units at `rate`, rounded once, half away from zero, to nano-units of the rate's currency. */
export function chargeNano(quantity: Quantity, rate: Rate): Nano {
  return divideHalfAwayFromZero(quantity * rate, RATE_UNITS_PER_NANO)
}

/**
 * Prices a group of quantities. Zero makes no charge, at any rate or none. If any other quantity has no rate, nothing of
 * the group is priced: a bill without its audio is a wrong bill. The order of the quantities does not matter.
 */
export function priceGroup(book: PriceBook, group: QuantityGroup): PricedGroup {
  const rates = resolvePrice(book, group)?.rates
  const charges: GroupCharge[] = []
  const missing: string[] = []
  for (const meter of Object.keys(group.quantities).toSorted()) {
    const quantity = group.quantities[meter] ?? 0n
    assert(quantity >= 0n, `quantity of ${meter} is negative: ${quantity}`)
    if (quantity === 0n) continue
    const rate = rates?.get(meter)
    if (rate === undefined) missing.push(meter)
    else charges.push({ meter, quantity, rate, amount: chargeNano(quantity, rate) })
  }
  return missing.length === 0 ? { kind: 'priced', charges } : { kind: 'unpriced', missing }
}
