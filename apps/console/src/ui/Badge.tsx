import type { ReactNode } from 'react'
import { Icon } from './Icon.tsx'
import type { IconName } from './Icon.tsx'

export type BadgeKind = 'neutral' | 'success' | 'warning' | 'danger' | 'info'

/** A state in a word; its colour only says the same once more. */
export function Badge({ kind = 'neutral', icon, children }: { kind?: BadgeKind; icon?: IconName; children: ReactNode }): ReactNode {
  return (
    <span className={`ui-badge ui-badge-${kind}`}>
      {icon !== undefined && <Icon name={icon} size={12} />}
      {children}
    </span>
  )
}
