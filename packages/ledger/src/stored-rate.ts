import { assert } from '@ascribe/kit'
import { parseRate } from '@ascribe/units'
import type { Rate } from '@ascribe/units'

/** A rate as a `numeric(38, 18)` column has it. */
export function storedRate(text: string): Rate {
  const rate = parseRate(text, 1)
  assert(typeof rate === 'bigint', `stored rate ${text} is no rate`)
  return rate
}
