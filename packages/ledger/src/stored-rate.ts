import { assert } from '@ascribe/kit'
import { RATE_PLACES, parseDecimal } from '@ascribe/units'
import type { Rate } from '@ascribe/units'

/**
 * A rate as a `numeric(38, 18)` column has it. Not parseRate(), whose limit is that of prices: what is missing to a minimum has a rate too,
 * and is larger than any price in a currency of small units.
 */
export function storedRate(text: string): Rate {
  const rate = parseDecimal(text, RATE_PLACES)
  assert(typeof rate === 'bigint', `stored rate ${text} is no rate`)
  return rate
}
