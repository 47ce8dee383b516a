import type { Instant } from '@ascribe/units'
import { TOKENS } from './budget.ts'
import type { Amount, BudgetUnit } from './budget.ts'
import { isTokenMeter } from './prices.ts'
import type { PriceTable, PricedModel } from './prices.ts'

/** One way in which an engine may count a request that is not about text alone: by time or by tokens, by the image or by tokens. */
export type Alternative = {
  /** Meters whose price shows that a model is sold that way. */
  readonly by: readonly string[]
  /** The most of each meter that it can come to. Absent: nobody has bounded it. */
  readonly most?: Readonly<Record<string, number>>
}

export type AlternativeReservation =
  | { readonly kind: 'amount'; readonly amount: Amount }
  /** A way that the model may be sold has no bound. */
  | { readonly kind: 'unbounded' }
  /** A budget in a currency in which nothing has a price. */
  | { readonly kind: 'unpriced' }

/**
 * What such a request is reserved: the most that any of the ways can come to in which its model is sold; a model without a price for any of them
 * may be counted in each. A budget in tokens does not know prices: there each of them counts.
 */
export function reservationOfAlternatives(
  alternatives: readonly Alternative[],
  unit: BudgetUnit,
  { model, prices, at }: { readonly model: PricedModel; readonly prices: PriceTable | undefined; readonly at: Instant },
): AlternativeReservation {
  const isTokens = unit === TOKENS
  if (!isTokens && prices?.hasPrices(at) !== true) return { kind: 'unpriced' }
  const sold = isTokens ? [] : alternatives.filter(({ by }) => prices?.lists(model, by, at))
  let amount = 0n
  for (const { most } of sold.length > 0 ? sold : alternatives) {
    if (most === undefined) return { kind: 'unbounded' }
    const meters = Object.entries(most).map(([meter, quantity]) => [meter, BigInt(quantity)] as const)
    const each = isTokens ? tokensOf(meters) : (prices?.cost({ ...model, meters }, at) ?? 0n)
    if (each > amount) amount = each
  }
  return { kind: 'amount', amount }
}

function tokensOf(meters: readonly (readonly [string, bigint])[]): bigint {
  return meters.reduce((sum, [meter, quantity]) => (isTokenMeter(meter) ? sum + quantity : sum), 0n)
}
