import type { ReactNode } from 'react'
import { formatDayLong, formatDayShort } from '../../format/dates.ts'
import { formatShare } from '../../format/share.ts'
import { Swatch } from './Swatch.tsx'
import type { ChartModel } from './types.ts'

/** Rows at most; more are counted. */
const ROWS_MAX = 9

/** What a day came to, and of what. */
export function Tooltip({
  model,
  index,
  segment,
  onOpen,
}: {
  model: ChartModel
  index: number
  /** Which of its parts is chosen by keyboard. */
  segment: number | undefined
  /** Where one cannot point without pressing. */
  onOpen: (() => void) | undefined
}): ReactNode {
  const column = model.columns[index]
  const ahead = model.forecast[index - model.columns.length]
  const { format } = model
  if (column === undefined) {
    if (ahead === undefined) return null
    return (
      <>
        <p className="ov-tip-day">{formatDayLong(ahead.day)}</p>
        <p className="ov-tip-total">
          Forecast: {format.full(ahead.expected)}
          <span className="ov-tip-note">
            80 % between {format.full(ahead.low)} and {format.full(ahead.high)}
          </span>
        </p>
      </>
    )
  }
  const parts = column.segments.toReversed()
  const before = model.ghost?.[index]
  const state = model.states[index]
  return (
    <>
      <p className="ov-tip-day">{formatDayLong(column.day)}</p>
      {model.view === 'cumulative' && <p className="ov-tip-total">Until then {format.full(model.cumulative[index] ?? 0n)}</p>}
      <p className={model.view === 'cumulative' ? 'ov-tip-note' : 'ov-tip-total'}>
        {state === 'waiting' ? 'No data received' : state === 'future' ? 'Not yet' : format.full(column.total)}
      </p>
      {parts.length > 0 && (
        <table className="ov-tip-rows">
          <tbody>
            {parts.slice(0, ROWS_MAX).map((part, at) => (
              <tr key={part.key ?? 'other'} data-chosen={segment !== undefined && parts.length - 1 - segment === at ? true : undefined}>
                <th scope="row">
                  <Swatch look={model.lookOf(part.key)} /> <span>{model.labelOf(part.key)}</span>
                </th>
                <td className="num">{format.cell(part.value)}</td>
                <td className="num">{formatShare(part.value, column.total)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {parts.length > ROWS_MAX && <p className="ov-tip-note">and {parts.length - ROWS_MAX} more</p>}
      {before !== undefined && (
        <p className="ov-tip-note">
          {formatDayShort(before.day)}: {format.full(before.value)}
        </p>
      )}
      {state === 'partial' && <p className="ov-tip-note">Partial: until {model.partialUntil}</p>}
      {onOpen === undefined ? (
        <p className="ov-tip-hint">Enter or click: open day</p>
      ) : (
        <button type="button" className="ui-link" onClick={onOpen}>
          Open day
        </button>
      )}
    </>
  )
}
