import type { Flavor } from './flavor.ts'

/** How much of one meter was used, in its smallest unit (tokens, milliseconds). Never negative. */
export type Quantity = Flavor<bigint, 'quantity'>

// A numeric(38,0) holds any quantity of so many digits.
const QUANTITY = /^[0-9]{1,38}$/

/** Parses a quantity from decimal digits, at most 38; `undefined` for anything else, a sign included. */
export function parseQuantity(text: string): Quantity | undefined {
  return QUANTITY.test(text) ? BigInt(text) : undefined
}

/** Formats a quantity as decimal digits, so that it survives a reader that knows numbers only up to 2^53. */
export function formatQuantity(quantity: Quantity): string {
  return quantity.toString()
}
