import type { ReactNode } from 'react'
import type { ChartModel } from './types.ts'

/** What is drawn besides the keys, which the table names. */
export function Key({ model, before }: { model: ChartModel; before: string | undefined }): ReactNode {
  const marks: readonly (readonly [string, string])[] = [
    ...(model.ghost !== undefined && before !== undefined ? [['ov-key-before', before] as const] : []),
    ...(model.forecast.length > 0 ? [['ov-key-forecast', 'Forecast with its 80 % band'] as const] : []),
    ...(model.states.includes('waiting') ? [['ov-key-waiting', 'No data received'] as const] : []),
  ]
  // What it is compared with comes later: its line is kept free.
  if (marks.length === 0) return before === undefined ? null : <div className="ov-key" aria-hidden="true" />
  return (
    <ul className="ov-key" aria-label="Marks in the chart">
      {marks.map(([look, text]) => (
        <li key={look}>
          <span className={`ov-key-mark ${look}`} aria-hidden="true" />
          {text}
        </li>
      ))}
    </ul>
  )
}
