import type { ReactNode } from 'react'
import type { Slot, ValueScale } from './layout.ts'
import { bandPath, linePath, stepPath } from './path.ts'
import type { Point } from './path.ts'
import type { ChartModel } from './types.ts'

type Props = { model: ChartModel; slots: readonly Slot[]; scale: ValueScale }

/** Running sums of a range as one step line, and those of the time before. */
export function CumulativeLine({ model, slots, scale }: Props): ReactNode {
  const points = (values: readonly bigint[]): Point[] =>
    values.flatMap((value, index) => {
      const slot = slots[index]
      return slot === undefined
        ? []
        : [
            { x: slot.left, y: scale.y(value) },
            { x: slot.left + slot.width, y: scale.y(value) },
          ]
    })
  // A day that has not begun has no sum.
  const known = model.cumulative.filter((_, index) => model.states[index] !== 'future')
  const ghost = model.ghost?.map(({ value }) => value).slice(0, slots.length)
  return (
    <>
      {ghost !== undefined && <path className="ov-line-before" d={stepPath(points(ghost))} />}
      <path className="ov-line" d={stepPath(points(known))} />
    </>
  )
}

/** What the days to come are expected to be: a dashed line in its band. */
export function ForecastLine({ model, slots, scale }: Props): ReactNode {
  const first = model.columns.length
  const known = model.cumulative.findLast((_, index) => model.states[index] !== 'future')
  const ahead = model.forecast.flatMap(({ expected, low, high }, index) => {
    const slot = slots[first + index]
    return slot === undefined ? [] : [{ x: slot.center, y: scale.y(expected), low: scale.y(low), high: scale.y(high) }]
  })
  const last = slots[first - 1]
  // The running sum goes on from where it stands.
  const start =
    model.view === 'cumulative' && known !== undefined && last !== undefined ? { x: last.left + last.width, y: scale.y(known) } : undefined
  const points = start === undefined ? ahead : [{ ...start, low: start.y, high: start.y }, ...ahead]
  if (points.length === 0) return null
  return (
    <g className="ov-forecast">
      <path className="ov-band" d={bandPath(points)} />
      <path className="ov-forecast-line" d={linePath(points)} />
    </g>
  )
}

/** A budget, where its period is that of the chart; never prorated. */
export function BudgetLine({ model, width, scale }: { model: ChartModel; width: number; scale: ValueScale }): ReactNode {
  const { budget } = model
  if (budget === undefined) return null
  const y = scale.y(budget.value)
  return (
    <g>
      <path className="ov-budget" d={`M0,${y}H${width}`} />
      <text className="ov-budget-label" x={width - 4} y={y - 5} textAnchor="end">
        {budget.label}
      </text>
    </g>
  )
}
