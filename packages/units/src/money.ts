import { formatDecimal, parseDecimal } from './decimal.ts'
import type { DecimalFault } from './decimal.ts'
import type { Flavor } from './flavor.ts'

/** An amount of money in 10^-9 of its currency. Which currency stands beside it; amounts of two currencies are never added. */
export type Nano = Flavor<bigint, 'nano'>

/** A currency code in the shape of ISO 4217: three upper-case letters. Whether it is assigned is not looked up. */
export type Currency = string

const NANO_PLACES = 9
const CURRENCY = /^[A-Z]{3}$/

/** Formats an amount as a decimal without noise: `12.5`, `0.000000001`, `-3`, `0`. */
export function formatNano(amount: Nano): string {
  return formatDecimal(amount, NANO_PLACES)
}

/** Parses a decimal amount of at most nine places. */
export function parseNano(text: string): Nano | DecimalFault {
  return parseDecimal(text, NANO_PLACES)
}

/** Whether `text` has the shape of an ISO 4217 code. */
export function isCurrency(text: string): text is Currency {
  return CURRENCY.test(text)
}
