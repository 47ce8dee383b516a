import { formatNano, minorPlaces, parseNano, roundToMinor } from '@ascribe/units'
import type { Currency, Nano } from '@ascribe/units'
import { NBSP, compact, fixed, plain, roundSignificant, sizeOf } from './digits.ts'

const NANO_PLACES = 9
/** Of an amount too small for its minor unit. */
const SMALL_DIGITS = 3

const SYMBOLS: Readonly<Record<string, string>> = { USD: '$', EUR: '€', GBP: '£', JPY: '¥' }

/**
 * An amount of the API as nano-units. The contract says that it is an exact decimal; what is none is a fault of the server and is not shown as 0.
 * @throws {RangeError}
 */
export function nanoOf(text: string): Nano {
  const amount = parseNano(text)
  if (typeof amount === 'string') throw new RangeError(`Cannot show the amount ${JSON.stringify(text)}: it is ${amount}`)
  return amount
}

export { formatNano }

/**
 * An amount for a table, without its currency: `24,040.62`. Rounded once, by the rule that invoices use; what is smaller than the minor unit has up
 * to three significant digits, to the nano: `0.000123`. Never `0.00` unless it is zero, and zero has no sign.
 */
export function formatAmount(amount: Nano, currency: Currency): string {
  const shown = minorPlaces(currency)
  const unit = 10n ** BigInt(NANO_PLACES - shown)
  const size = sizeOf(amount)
  if (size === 0n || size >= unit) return fixed(roundToMinor(amount, currency), { places: NANO_PLACES, shown })
  return plain(roundSignificant(amount, SMALL_DIGITS), NANO_PLACES)
}

/** What stands before an amount: `$`, or the code and a space that does not break. */
function symbolOf(currency: Currency): string {
  return SYMBOLS[currency] ?? `${currency}${NBSP}`
}

function withSymbol(text: string, currency: Currency): string {
  return text.startsWith('\u2212') ? `\u2212${symbolOf(currency)}${text.slice(1)}` : `${symbolOf(currency)}${text}`
}

/** An amount with its currency, for figures and sentences: `$24,040.62`, `−$12.00`, `CHF 8.10`. */
export function formatMoneyShort(amount: Nano, currency: Currency): string {
  return withSymbol(formatAmount(amount, currency), currency)
}

/** An amount on an axis or a chip: `$1.2k`. Rounded; for amounts that are told apart it is never the only one. */
export function formatMoneyCompact(amount: Nano, currency: Currency): string {
  return withSymbol(compact(amount, { places: NANO_PLACES }), currency)
}

/** What is foreseen, to three digits: `$31,400`. */
export function formatForecast(amount: Nano, currency: Currency): string {
  const rounded = roundSignificant(amount, SMALL_DIGITS)
  const whole = 10n ** BigInt(NANO_PLACES)
  return withSymbol(rounded % whole === 0n ? plain(rounded, NANO_PLACES) : formatAmount(rounded, currency), currency)
}

/** All digits, for hints and for what is copied: `24040.618273645`. */
export function formatExact(amount: Nano, currency: Currency): string {
  return `${plain(amount, NANO_PLACES)}${NBSP}${currency}`
}

/** The price of a unit, all its digits, per million tokens or per one of anything else: `$0.15 per 1 M input tokens`. `rate` is of one unit. */
export function formatUnitPrice(rate: string, { currency, meter }: { readonly currency: Currency; readonly meter: string }): string {
  const isToken = meter.endsWith('tokens')
  const price = isToken ? shifted(rate, 6) : rate
  const [whole = '0', fraction = ''] = price.replace('-', '').split('.')
  const sign = price.startsWith('-') ? '\u2212' : ''
  const digits = `${plain(BigInt(whole), 0)}${fraction === '' ? '' : `.${fraction}`}`
  return `${sign}${symbolOf(currency)}${digits} per ${isToken ? `1${NBSP}M ` : ''}${meterWords(meter)}`
}

/** A decimal times ten to the `places`, exact. */
function shifted(text: string, places: number): string {
  const sign = text.startsWith('-') ? '-' : ''
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const digits = `${whole}${fraction.padEnd(places, '0')}`
  const point = whole.length + places
  const integer = digits.slice(0, point).replace(/^0+(?=\d)/, '')
  const rest = digits.slice(point).replace(/0+$/, '')
  return `${sign}${integer}${rest === '' ? '' : `.${rest}`}`
}

/** What people call a meter: `input tokens`. */
export function meterWords(meter: string): string {
  return meter.replaceAll('_', ' ').replace(/\b(vm|cpu|gpu|mhz|gib|gb|mib|ip|ssd)\b/g, (word) => UNIT_WORDS[word] ?? word)
}

const UNIT_WORDS: Readonly<Record<string, string>> = {
  vm: 'VM',
  cpu: 'CPU',
  gpu: 'GPU',
  mhz: 'MHz',
  gib: 'GiB',
  gb: 'GB',
  mib: 'MiB',
  ip: 'IP',
  ssd: 'SSD',
}
