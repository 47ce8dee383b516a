import type { Currency } from '@ascribe/units'
import { NOTHING } from '../format/digits.ts'
import { formatMoneyShort, nanoOf } from '../format/money.ts'
import { formatCount } from '../format/quantity.ts'
import { formatShare } from '../format/share.ts'

/*
 * Amounts of budgets: tokens, or a currency to 10^-18. Compared and divided as whole numbers; a ratio becomes a float for the length of a bar only.
 */

const PLACES = 18
const UNIT = 10n ** 18n
const NANO_STEP = 10n ** 9n
const RATIO_STEPS = 10_000n

/** An amount in 10^-18 of its unit, of any size. What is no amount is a fault of the server, and is not shown as 0. */
export function exactOf(text: string): bigint | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,18}))?$/.exec(text) ?? []
  if (whole === '') return undefined
  const value = BigInt(whole + fraction.padEnd(PLACES, '0'))
  return sign === '' ? value : -value
}

/** `$250.00`, `1.5 M tokens`. */
export function formatBudgetAmount(text: string, unit: string): string {
  const exact = exactOf(text)
  if (exact === undefined) return 'unknown'
  if (unit === 'tokens') return `${formatCount(exact / UNIT)} tokens`
  return formatMoneyShort(nanoOf(nanoText(exact)), unit as Currency)
}

/** Rounded to the nano, half away from zero: all that amounts of money are shown with. */
function nanoText(exact: bigint): string {
  const size = exact < 0n ? -exact : exact
  const nano = (size * 2n + NANO_STEP) / (NANO_STEP * 2n)
  const digits = String(nano).padStart(10, '0')
  return `${exact < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`
}

/** How much of a limit is spent: as words, and as a length. */
export function usedOf(spent: string, limit: string): { readonly text: string; readonly ratio: number } {
  const [part, whole] = [exactOf(spent), exactOf(limit)]
  if (part === undefined || whole === undefined) return { text: 'unknown', ratio: 0 }
  if (whole <= 0n) return { text: part > 0n ? 'over' : NOTHING, ratio: part > 0n ? 1 : 0 }
  return { text: formatShare(part, whole), ratio: Number((part * RATIO_STEPS) / whole) / Number(RATIO_STEPS) }
}

/** Two amounts of one currency, added. */
export function addAmounts(amounts: readonly string[]): string {
  const sum = amounts.reduce((total, amount) => total + (exactOf(amount) ?? 0n), 0n)
  return nanoText(sum)
}

/** Whether an amount is exactly nothing. */
export function isZero(amount: string): boolean {
  return /^-?0+(\.0+)?$/.test(amount)
}

/** The same amount with the other sign. */
export function negated(amount: string): string {
  if (isZero(amount)) return amount
  return amount.startsWith('-') ? amount.slice(1) : `-${amount}`
}
