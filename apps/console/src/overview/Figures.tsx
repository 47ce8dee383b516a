import { useState } from 'react'
import type { ReactNode } from 'react'
import type { BudgetJson, CreditsReply, Total } from '@ascribe/contract/reads'
import { faultOf } from '../api/fault.ts'
import { divideHalfAwayFromZero } from '@ascribe/units'
import { formatMonth, formatRangeShort } from '../format/dates.ts'
import { formatForecast, formatMoneyShort, formatExact, nanoOf } from '../format/money.ts'
import { changeOf } from '../format/share.ts'
import { Badge } from '../ui/Badge.tsx'
import { Meter } from '../ui/Meter.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'
import { DriversDialog } from './DriversDialog.tsx'
import type { Drivers } from './drivers.ts'
import type { Forecast } from './forecast.ts'
import { HISTORY_DAYS_MIN } from './forecast.ts'
import { creditsNote } from './plan-words.ts'
import type { Range } from './ranges.ts'
import type { UnitFormat } from './view-model.ts'

/** Characters of a figure that fit into half a phone. */
const LONG = 13

/** One figure with what it is of above and what there is to know of it below. */
export function Figure({
  label,
  value,
  title,
  children,
}: {
  label: ReactNode
  value: ReactNode
  title?: string | undefined
  children?: ReactNode
}): ReactNode {
  return (
    <div className="ov-figure">
      <dt>{label}</dt>
      <dd className="ov-value num" title={title} data-long={typeof value === 'string' && value.length > LONG}>
        {value}
      </dd>
      {children !== undefined && <dd className="ov-under">{children}</dd>}
    </div>
  )
}

export function TotalFigure({
  name,
  total,
  format,
  totals,
  partial,
}: {
  name: string
  total: bigint
  format: UnitFormat
  totals: readonly Total[]
  partial: string | undefined
}): ReactNode {
  return (
    <Figure label={name} value={format.figure(total)} title={format.exact(total)}>
      <span>{format.unit}</span>
      {totals.length > 1 && (
        <span>
          not added:{' '}
          {totals
            .filter(({ currency }) => currency !== format.unit)
            .map(({ currency, amount }) => formatMoneyShort(nanoOf(amount), currency))
            .join(', ')}
        </span>
      )}
      {partial !== undefined && <Badge>partial today</Badge>}
    </Figure>
  )
}

type ChangeProps = {
  range: Range
  now: bigint
  before: bigint | undefined
  format: UnitFormat
  drivers: Drivers | undefined
  labelOf: (key: string) => string
  error: unknown
}

export function ChangeFigure({ range, now, before, format, drivers, labelOf, error }: ChangeProps): ReactNode {
  const [isOpen, setOpen] = useState(false)
  const label = `vs ${formatRangeShort(range.from, range.to)}`
  if (error !== null)
    return (
      <Figure label={label} value="–">
        {faultOf(error).message || 'We could not load the time before.'}
      </Figure>
    )
  if (before === undefined || drivers === undefined) return <Figure label={label} value={<Skeleton height={34} />} />
  const { text, spoken } = changeOf(now, before)
  const count = drivers.list.length
  return (
    <Figure
      label={label}
      value={
        <>
          <span aria-hidden="true">{text}</span>
          <span className="visually-hidden">{spoken}</span>
        </>
      }
      title={`${format.exact(now)} against ${format.exact(before)}`}
    >
      <span>from {format.full(before)}</span>
      {count > 0 && (
        <button type="button" className="ui-link" aria-haspopup="dialog" onClick={() => setOpen(true)}>
          {count === 1 ? '1 driver' : `${Math.min(count, 10)} drivers`}
        </button>
      )}
      <DriversDialog isOpen={isOpen} onClose={() => setOpen(false)} drivers={drivers} format={format} labelOf={labelOf} range={range} />
    </Figure>
  )
}

/** `undefined`: not enough days; a forecast is never guessed from fewer. */
export function ForecastFigure({
  month,
  forecast,
  currency,
  isLoading,
  isBehind,
}: {
  month: string
  forecast: Forecast | undefined
  currency: string
  isLoading: boolean
  /** Days before today are not rated yet: a forecast would take them for calm ones. */
  isBehind: boolean
}): ReactNode {
  const label = `Forecast ${formatMonth(month)}`
  if (isLoading) return <Figure label={label} value={<Skeleton height={34} />} />
  if (isBehind) {
    return (
      <Figure label={label} value="–">
        when the days before today are counted
      </Figure>
    )
  }
  if (forecast === undefined)
    return (
      <Figure label={label} value="–">
        from {HISTORY_DAYS_MIN} full days with usage on
      </Figure>
    )
  return (
    <Figure label={label} value={formatForecast(forecast.total, currency)} title="Not part of any total">
      <span>
        {formatForecast(forecast.low, currency)} – {formatForecast(forecast.high, currency)}
      </span>
      <span className="ov-quiet">80 % band</span>
    </Figure>
  )
}

/** Where there is no month to foresee. */
export function AverageFigure({ total, days, format }: { total: bigint; days: number; format: UnitFormat }): ReactNode {
  if (days === 0) return null
  const average = divideHalfAwayFromZero(total, BigInt(days))
  return (
    <Figure label="Daily average" value={format.figure(average)} title={format.exact(average)}>
      {format.unit}, over {days} full {days === 1 ? 'day' : 'days'}
    </Figure>
  )
}

export function CreditsFigure({ credits }: { credits: CreditsReply }): ReactNode {
  const { currency, burnDown } = credits
  const left = nanoOf(burnDown.left)
  return (
    <Figure label="Credits left" value={formatMoneyShort(left, currency)} title={formatExact(left, currency)}>
      <span>{creditsNote(credits)}</span>
      {left > 0n && burnDown.dailyAverage !== '0' && (
        <span className="ov-quiet">{formatMoneyShort(nanoOf(burnDown.dailyAverage), currency)} a day</span>
      )}
    </Figure>
  )
}

const PERIODS = { day: 'today', month: 'this month', prepaid: 'prepaid' } as const

export function BudgetFigure({ budget }: { budget: BudgetJson }): ReactNode {
  const standing = budget.standings[0]
  const [limit, spent] = [nanoOf(budget.limit), nanoOf(standing?.spent ?? '0')]
  const percent = limit === 0n ? 0 : Number((spent * 1000n) / limit) / 1000
  const text = `${formatMoneyShort(spent, budget.unit)} of ${formatMoneyShort(limit, budget.unit)}`
  return (
    <Figure label={`Budget ${PERIODS[budget.period]}`} value={`${Math.floor(percent * 100)} %`} title={text}>
      <Meter label={budget.name ?? 'Budget'} value={percent} text="" thresholds={budget.thresholds} />
      <span>{text}</span>
    </Figure>
  )
}
