import { memo } from 'react'
import type { ReactNode } from 'react'
import type { Day } from '../format/dates.ts'
import { linePath } from './chart/path.ts'

const WIDTH = 72
const HEIGHT = 20

/** The course of one key over the range; its numbers are in the chart and in the row. */
export const Sparkline = memo(function Sparkline({ days, byDay }: { days: readonly Day[]; byDay: ReadonlyMap<Day, bigint> }): ReactNode {
  const values = days.map((day) => Number(byDay.get(day) ?? 0n))
  const most = Math.max(0, ...values)
  const least = Math.min(0, ...values)
  const reach = most - least || 1
  const step = WIDTH / Math.max(1, values.length - 1)
  const points = values.map((value, index) => ({ x: index * step, y: HEIGHT - 2 - ((value - least) / reach) * (HEIGHT - 4) }))
  return (
    <svg className="ov-spark" width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path d={linePath(points)} />
    </svg>
  )
})
