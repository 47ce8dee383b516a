import { useEffect, useState } from 'react'
import type { ReactNode } from 'react'

/** Quicker answers than this show no skeleton at all: a flash is worse than a short wait. */
const DELAY_MS = 150

/** The place of what is still to come, in its final height. Nothing shimmers. */
export function Skeleton({ height, lines, label = 'Loading' }: { height?: number | string; lines?: number; label?: string }): ReactNode {
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), DELAY_MS)
    return () => clearTimeout(timer)
  }, [])
  const rows = lines === undefined ? undefined : Array.from({ length: lines }, (_, index) => index)
  return (
    <div
      className="ui-skeleton"
      style={{ height: height ?? (lines === undefined ? 36 : lines * 36) }}
      data-shown={isShown}
      role="status"
      aria-label={label}
    >
      {rows?.map((index) => (
        <span key={index} className="ui-skeleton-line" />
      ))}
    </div>
  )
}
