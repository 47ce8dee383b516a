/**
 * Why a text is not an exact decimal of so many places.
 * - `malformed`: not an optional sign, digits, and an optional point with digits; an exponent is malformed too.
 * - `too_precise`: it has more places than can be held. It is never rounded.
 * - `too_large`: over {@link DECIMAL_LENGTH_MAX} characters, or over what the quantity may be.
 */
export type DecimalFault = 'malformed' | 'too_precise' | 'too_large'

/** Longer than any amount or rate that a numeric(38) could hold, short enough that parsing costs nothing. */
export const DECIMAL_LENGTH_MAX = 80

const DECIMAL = /^([+-]?)([0-9]+)(?:\.([0-9]+))?$/

/**
 * Parses a decimal such as `-12.50` into an integer of 10^-`places`: exact, or a fault. Zeros at the end do not count
 * as places.
 */
export function parseDecimal(text: string, places: number): bigint | DecimalFault {
  if (text.length > DECIMAL_LENGTH_MAX) return 'too_large'
  const match = DECIMAL.exec(text)
  if (match === null) return 'malformed'
  const [, sign = '', whole = '', padded = ''] = match
  const fraction = padded.replace(/0+$/, '')
  if (fraction.length > places) return 'too_precise'
  const size = BigInt(whole + fraction.padEnd(places, '0'))
  return sign === '-' ? -size : size
}

/** Formats an integer of 10^-`places` as a decimal without an exponent and without zeros at its end: `12.5`, `-3`, `0`. */
export function formatDecimal(value: bigint, places: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  const fraction = digits.slice(digits.length - places).replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : '.'}${fraction}`
}
