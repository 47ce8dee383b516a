import { divideHalfAwayFromZero } from './divide.ts'
import { formatDecimal } from './decimal.ts'
import type { Currency, Nano } from './money.ts'

const NANO_PLACES = 9
const PLACES_DEFAULT = 2

/**
 * Currencies of ISO 4217 (list one, 2026) whose minor unit is not a hundredth. A table and not `Intl`: that follows what people are
 * shown, which is not the standard everywhere (`IQD`), and changes with the version of its data.
 */
const PLACES: ReadonlyMap<Currency, number> = new Map([
  ...['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'].map(
    (currency) => [currency, 0] as const,
  ),
  ...['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'].map((currency) => [currency, 3] as const),
  ...['CLF', 'UYW'].map((currency) => [currency, 4] as const),
])

/** Decimal places of a currency's minor unit, 0 to 4 (ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD. 2 for a code that is not assigned. */
export function minorPlaces(currency: Currency): number {
  return PLACES.get(currency) ?? PLACES_DEFAULT
}

/**
 * Rounds an amount to whole minor units of its currency, half away from zero, and gives it in nano-units again: 0.005 USD is 0.01,
 * −0.5 JPY is −1. The one rounding of what is owed: invoices, taxes and credit notes all use it, each sum once.
 * `divisor` (positive, default 1) is what `amount` is divided by first: a share of an amount is not rounded twice.
 */
export function roundToMinor(amount: Nano, currency: Currency, options: { readonly divisor?: bigint } = {}): Nano {
  const unit = 10n ** BigInt(NANO_PLACES - minorPlaces(currency))
  return divideHalfAwayFromZero(amount, unit * (options.divisor ?? 1n)) * unit
}

/**
 * Formats an amount for people, with all places of the minor unit (`12.50`, JPY `12`), and with more where the amount has them
 * (`0.000123`): nothing is rounded.
 */
export function formatMoney(amount: Nano, currency: Currency): string {
  const [whole = '', fraction = ''] = formatDecimal(amount, NANO_PLACES).split('.')
  const padded = fraction.padEnd(minorPlaces(currency), '0')
  return padded === '' ? whole : `${whole}.${padded}`
}
