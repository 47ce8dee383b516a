import { RATE_PLACES, divideHalfAwayFromZero } from '@ascribe/units'
import type { Nano, Quantity, Rate } from '@ascribe/units'

const NANO_PLACES = 9
const RATE_UNITS_PER_NANO = 10n ** BigInt(RATE_PLACES - NANO_PLACES)

/** Price of `quantity` units at `rate`, rounded once, half away from zero, to nano-units of the rate's currency. */
export function chargeNano(quantity: Quantity, rate: Rate): Nano {
  return divideHalfAwayFromZero(quantity * rate, RATE_UNITS_PER_NANO)
}
