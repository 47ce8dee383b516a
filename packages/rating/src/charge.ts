import { assert } from '@ascribe/kit'
import type { Nano, Quantity, Rate } from '@ascribe/units'
import { chargeNano } from './charge-nano.ts'
import { resolvePrice } from './price-book.ts'
import type { PriceBook, PriceKey } from './price-book.ts'

/** What is rated together: quantities of one model, by meter. */
export type QuantityGroup = PriceKey & { readonly quantities: Readonly<Record<string, Quantity>> }

/** A priced quantity of one meter. `amount` is `quantity` × `rate`, rounded once. */
export type GroupCharge = { readonly meter: string; readonly quantity: Quantity; readonly rate: Rate; readonly amount: Nano }

/** A quantity that has a price, but one that only the total of the month gives. */
export type GroupPeriodQuantity = { readonly meter: string; readonly quantity: Quantity }

/** What a group comes to; or the meters without a price, for which the whole group is held aside. */
export type PricedGroup =
  | {
      readonly kind: 'priced'
      /** By meter. */
      readonly charges: readonly GroupCharge[]
      /** What the month prices. */
      readonly period: readonly GroupPeriodQuantity[]
      /** What somebody else bills, at list prices: owed to nobody here. */
      readonly memos: readonly GroupCharge[]
    }
  | { readonly kind: 'unpriced'; readonly missing: readonly string[] }

/**
 * Prices a group of quantities. Zero makes no charge, at any rate or none. If any other quantity has no rate, nothing of
 * the group is priced: a bill without its audio is a wrong bill. The order of the quantities does not matter.
 */
export function priceGroup(book: PriceBook, group: QuantityGroup): PricedGroup {
  const rates = resolvePrice(book, group)?.rates
  const charges: GroupCharge[] = []
  const period: GroupPeriodQuantity[] = []
  const memos: GroupCharge[] = []
  const missing: string[] = []
  for (const meter of Object.keys(group.quantities).toSorted()) {
    const quantity = group.quantities[meter] ?? 0n
    assert(quantity >= 0n, `quantity of ${meter} is negative: ${quantity}`)
    if (quantity === 0n) continue
    const rate = rates?.get(meter)
    if (rate === undefined) missing.push(meter)
    else if (typeof rate === 'bigint') charges.push({ meter, quantity, rate, amount: chargeNano(quantity, rate) })
    else if (rate.kind === 'provider') memos.push({ meter, quantity, rate: rate.rate, amount: chargeNano(quantity, rate.rate) })
    else period.push({ meter, quantity })
  }
  return missing.length === 0 ? { kind: 'priced', charges, period, memos } : { kind: 'unpriced', missing }
}
