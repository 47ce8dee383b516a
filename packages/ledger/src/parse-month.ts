import { monthOf } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'

/** The period of a month such as `2026-11`. @throws {LedgerInputError} */
export function parseMonth(month: string): Period {
  const period = monthOf(month)
  if (period === undefined) throw new LedgerInputError(`Cannot read the month ${JSON.stringify(month)}`, { hint: 'Write it as 2026-11.' })
  return period
}
