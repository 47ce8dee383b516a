import { formatRate, meterScale, parseDecimal } from '@ascribe/units'
import type { Measure } from '@ascribe/units'
import type { RecordJson } from '@ascribe/contract/reads'
import { NBSP, plain } from '../../format/digits.ts'
import { formatAmount, meterWords } from '../../format/money.ts'
import { formatCountExact } from '../../format/quantity.ts'

/** Places of an amount of one record: it is quantity × rate, exact, before the hour's charge is rounded. */
const PLACES = 18
const NANO_OF_PLACES = 10n ** 9n

/** What a record's meters come to, exact, in 10^-18; `undefined`: nothing of it has an amount. */
export function amountOfRecord({ charges }: Pick<RecordJson, 'charges'>): bigint | undefined {
  const amounts = charges.flatMap(({ amount }) => (amount === undefined ? [] : [parseDecimal(amount, PLACES)]))
  const known = amounts.filter((each): each is bigint => typeof each === 'bigint')
  return known.length === 0 ? undefined : known.reduce((sum, each) => sum + each, 0n)
}

/** An amount of 10^-18 for a row: as money is, and with as many places as it needs where it is less than a nano. */
export function formatSmall(amount: bigint, currency: string): string {
  if (amount % NANO_OF_PLACES === 0n || amount >= 10n * 10n ** 18n) return formatAmount(rounded(amount), currency)
  const nano = rounded(amount)
  return nano === 0n ? plain(amount, PLACES) : formatAmount(nano, currency)
}

function rounded(amount: bigint): bigint {
  const size = amount < 0n ? -amount : amount
  const nano = (size * 2n + NANO_OF_PLACES) / (NANO_OF_PLACES * 2n)
  return amount < 0n ? -nano : nano
}

/** All its digits, with the currency. */
export function formatExactSmall(amount: bigint, currency: string): string {
  return `${formatRate(amount).replace('-', '\u2212')}${NBSP}${currency}`
}

/** `1,204 in · 310 out`: tokens first, then whatever else was counted. */
export function metersText(meters: Readonly<Record<string, number>>, model?: string): string {
  const sums = { in: 0n, out: 0n }
  const others: string[] = []
  for (const [meter, quantity] of Object.entries(meters)) {
    if (quantity === 0) continue
    const count = BigInt(quantity)
    if (!meter.endsWith('tokens')) others.push(`${quantityText({ model, meter }, count)} ${meterWords(meter)}`)
    else if (meter.includes('output') || meter.includes('reasoning')) sums.out += count
    else sums.in += count
  }
  const tokens = (['in', 'out'] as const).filter((way) => sums[way] > 0n).map((way) => `${formatCountExact(sums[way])} ${way}`)
  return [...tokens, ...others].join(' · ') || 'nothing counted'
}

/** How much of a meter, in the unit that its name says. */
export function quantityText(measure: Measure, quantity: bigint): string {
  return plain(quantity, meterScale(measure))
}

/** What became of a record, in a word. */
export const STATE_WORDS: Readonly<Record<RecordJson['state'], string>> = {
  charged: 'charged',
  free: 'free',
  unpriced: 'not priced yet',
  unattributed: 'not attributed',
  unknown: 'unknown',
}

/** How a quantity is known, for a hint. */
export const PROVENANCE_HINTS: Readonly<Record<RecordJson['event']['provenance'], string>> = {
  reported: 'As the model reported it.',
  continuous: 'The last count that the model reported on the way.',
  estimated: 'Counted from what passed through; no report came.',
  unknown: 'Served without reported usage: unknown, not zero.',
}
