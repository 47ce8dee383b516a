/** U+2212: as wide as a plus sign, and never broken off its number as a hyphen is. */
export const MINUS = '\u2212'
/** Between a number and its unit: no line breaks there. */
export const NBSP = '\u00a0'
/** What stands where there is nothing to say: no usage, no base. */
export const NOTHING = '\u2013'

/** Splits digits of a whole number into groups of three: `24040` is `24,040`. */
export function grouped(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',')
}

export function sizeOf(value: bigint): bigint {
  return value < 0n ? -value : value
}

/** Rounds to `digits` significant ones, half away from zero. `value` is any integer, of whatever unit. */
export function roundSignificant(value: bigint, digits: number): bigint {
  const size = sizeOf(value)
  const surplus = String(size).length - digits
  if (surplus <= 0) return value
  const step = 10n ** BigInt(surplus)
  const rounded = ((size * 2n + step) / (step * 2n)) * step
  return value < 0n ? -rounded : rounded
}

/** Writes a decimal of an integer of 10^-`places` with just so many of them, rounded half away from zero: `12.50`. Without a sign if it rounds to 0. */
export function fixed(value: bigint, { places, shown }: { readonly places: number; readonly shown: number }): string {
  const step = 10n ** BigInt(places - shown)
  const units = (sizeOf(value) * 2n + step) / (step * 2n)
  const text = units.toString().padStart(shown + 1, '0')
  const whole = grouped(text.slice(0, text.length - shown))
  return `${value < 0n && units !== 0n ? MINUS : ''}${whole}${shown === 0 ? '' : `.${text.slice(text.length - shown)}`}`
}

/** Writes a decimal with all the places it has, and no zeros at its end. */
export function plain(value: bigint, places: number): string {
  const text = sizeOf(value)
    .toString()
    .padStart(places + 1, '0')
  const fraction = text.slice(text.length - places).replace(/0+$/, '')
  const whole = grouped(text.slice(0, text.length - places))
  return `${value < 0n ? MINUS : ''}${whole}${fraction === '' || places === 0 ? '' : `.${fraction}`}`
}

const COMPACT: readonly (readonly [bigint, string])[] = [
  [1_000_000_000_000n, 'T'],
  [1_000_000_000n, 'B'],
  [1_000_000n, 'M'],
  [1000n, 'k'],
]

/** A few digits and a unit, for axes and chips: `1.2k`, `432M`, `0.05`. Of an integer of 10^-`places`. Three digits at most; its size is rounded. */
export function compact(value: bigint, { places, gap = '' }: { readonly places: number; readonly gap?: string }): string {
  const one = 10n ** BigInt(places)
  const rounded = roundSignificant(value, 3)
  const size = sizeOf(rounded)
  const found = COMPACT.find(([unit]) => size >= unit * one)
  if (found === undefined) return plain(rounded, places)
  const [unit, word] = found
  const scaled = places + String(unit).length - 1
  return `${plain(rounded, scaled)}${gap}${word}`
}
