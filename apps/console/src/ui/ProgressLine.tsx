import type { ReactNode } from 'react'

/** Newer data are on their way; what is shown stays as it is meanwhile. */
export function ProgressLine({ isActive }: { isActive: boolean }): ReactNode {
  return <div className="ui-progress-line" data-active={isActive} {...(isActive && { role: 'progressbar', 'aria-label': 'Refreshing' })} />
}
