import type { ReactNode } from 'react'

const PERCENT = 100

/** How much of a limit is used. The words say it; the bar is for the eye. Above the limit the whole bar is full and marked. */
export function Meter({
  label,
  value,
  text,
  thresholds = [],
}: {
  label: string
  /** 1 is the whole limit. Only pixels follow from it. */
  value: number
  text: ReactNode
  /** Per cent at which somebody is told. */
  thresholds?: readonly number[]
}): ReactNode {
  const percent = Math.max(0, Math.min(PERCENT, value * PERCENT))
  const level = value >= 1 ? 'full' : thresholds.some((each) => value * PERCENT >= each) ? 'warning' : 'calm'
  return (
    <span className="ui-meter" data-level={level}>
      <span
        className="ui-meter-bar"
        role="meter"
        aria-label={label}
        aria-valuenow={Math.round(percent)}
        aria-valuemin={0}
        aria-valuemax={PERCENT}
      >
        <span className="ui-meter-fill" style={{ inlineSize: `${percent}%` }} />
        {thresholds
          .filter((each) => each < PERCENT)
          .map((each) => (
            <span key={each} className="ui-meter-mark" style={{ insetInlineStart: `${each}%` }} />
          ))}
      </span>
      <span className="ui-meter-text">{text}</span>
    </span>
  )
}
