import { divideExact } from './divide.ts'
import { formatDecimal, parseDecimal } from './decimal.ts'
import type { DecimalFault } from './decimal.ts'
import type { Flavor } from './flavor.ts'

/** The price of one unit of a quantity, in 10^-18 of a currency. Exact: a rate is never rounded, only what it gives is. */
export type Rate = Flavor<bigint, 'rate'>

/** How many units a quoted price is for. */
export type RatePer = 1 | 1000 | 1_000_000

/** Decimal places that a rate of one unit may have. */
export const RATE_PLACES = 18

/** Every rate is below this: 10^12 of its currency a unit. 2^53 units at such a rate still fit a numeric(38,0) of nano-units. */
export const RATE_LIMIT: Rate = 10n ** 30n

/**
 * Parses the price of `per` units into the rate of one. A price that needs more than 18 places a unit is `too_precise`:
 * per million, twelve places are left. One of {@link RATE_LIMIT} or more is `too_large`.
 */
export function parseRate(text: string, per: RatePer): Rate | DecimalFault {
  const price = parseDecimal(text, RATE_PLACES)
  if (typeof price === 'string') return price
  const rate = divideExact(price, BigInt(per))
  if (rate === undefined) return 'too_precise'
  return rate < RATE_LIMIT ? rate : 'too_large'
}

/** Formats the rate of one unit as a decimal: `0.0000002`. */
export function formatRate(rate: Rate): string {
  return formatDecimal(rate, RATE_PLACES)
}
