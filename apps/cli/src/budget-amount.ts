import { TOKENS } from '@ascribe/admission'
import type { Amount } from '@ascribe/admission'
import { InputError } from '@ascribe/kit'
import { formatRate, parseQuantity, parseRate } from '@ascribe/units'

/** An amount on the command line, in the smallest unit of its budget. @throws {InputError} */
export function amountOf(text: string, unit: string, option: string): Amount {
  const amount = unit === TOKENS ? parseQuantity(text) : parseRate(text, 1)
  if (typeof amount === 'bigint') return amount
  const form = unit === TOKENS ? 'a whole number of tokens, for example 1000000' : `a decimal of ${unit}, for example 99.50`
  throw new InputError(`Cannot use ${option} "${text}": write ${form}`)
}

/** The same for people and programs: without noise, exact. */
export function amountText(amount: Amount, unit: string): string {
  return unit === TOKENS ? String(amount) : formatRate(amount)
}
