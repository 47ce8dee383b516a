import type { Day } from '../../format/dates.ts'
import type { Expected } from '../forecast.ts'
import type { Look } from '../look.ts'
import type { Column, DayState } from '../stack.ts'
import type { View } from '../state.ts'
import type { UnitFormat } from '../view-model.ts'

/** Everything the chart draws; it decides nothing of what is counted. */
export type ChartModel = {
  readonly view: View
  readonly columns: readonly Column[]
  readonly states: readonly DayState[]
  readonly format: UnitFormat
  /** Running sums, by day. */
  readonly cumulative: readonly bigint[]
  /** Of the time before, by day of the period; daily or running, as the view is. */
  readonly ghost: readonly { readonly day: Day; readonly value: bigint }[] | undefined
  /** Days after the last column. */
  readonly forecast: readonly (Expected & { readonly day: Day })[]
  readonly budget: { readonly value: bigint; readonly label: string } | undefined
  /** Until when the partial day counts: `14:05 UTC`. */
  readonly partialUntil: string
  readonly labelOf: (key: string | undefined) => string
  readonly lookOf: (key: string | undefined) => Look
  /** What one key is, and several are: `model`, `models`. */
  readonly singular: string
  readonly plural: string
}
