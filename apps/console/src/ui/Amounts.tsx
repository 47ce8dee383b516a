import { parseNano } from '@ascribe/units'
import type { Currency } from '@ascribe/units'
import type { ReactNode } from 'react'
import { formatDay, formatInstantLong, formatLocalHint, formatTime } from '../format/dates.ts'
import { formatAmount, formatExact, formatMoneyShort } from '../format/money.ts'
import { formatCount, formatCountExact } from '../format/quantity.ts'

/** An exact amount of the API. In a column whose head names the currency without it; else `withCurrency`. All digits in the hint. */
export function Money({
  amount,
  currency,
  withCurrency = false,
  isEstimated = false,
}: {
  amount: string
  currency: Currency
  withCurrency?: boolean
  isEstimated?: boolean
}): ReactNode {
  const nano = parseNano(amount)
  if (typeof nano === 'string') return <span className="ui-money">unknown</span>
  const text = withCurrency ? formatMoneyShort(nano, currency) : formatAmount(nano, currency)
  return (
    <span className={isEstimated ? 'ui-money ui-estimated' : 'ui-money'} title={`${formatExact(nano, currency)} ${currency}`}>
      {isEstimated && '≈ '}
      {text}
    </span>
  )
}

/** A count of the API; all digits in the hint. */
export function Quantity({
  value,
  unit,
  isEstimated = false,
}: {
  value: string | bigint
  unit?: string
  isEstimated?: boolean
}): ReactNode {
  const count = BigInt(value)
  const after = unit === undefined ? '' : ` ${unit}`
  return (
    <span className={isEstimated ? 'ui-estimated' : undefined} title={`${formatCountExact(count)}${after}`}>
      {isEstimated && '≈ '}
      {formatCount(count)}
      {after}
    </span>
  )
}

/** An instant in UTC; the reader's own time in the hint. */
export function DateText({ at, show = 'both' }: { at: string; show?: 'day' | 'time' | 'both' }): ReactNode {
  const text = show === 'day' ? formatDay(at.slice(0, 10)) : show === 'time' ? formatTime(at) : formatInstantLong(at)
  return (
    <time dateTime={at} title={formatLocalHint(at)} className="ui-date">
      {text}
    </time>
  )
}
