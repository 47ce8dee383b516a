import type { ReactNode } from 'react'
import { Icon } from './Icon.tsx'

export type NoticeKind = 'info' | 'warning' | 'danger' | 'success'
const ICONS = { info: 'info', warning: 'warning', danger: 'error', success: 'check' } as const

/** Something to know beside what is shown. `isLive`: it came while one was reading, so it is read out. */
export function Notice({
  kind,
  title,
  children,
  actions,
  isLive = false,
}: {
  kind: NoticeKind
  title?: ReactNode
  children?: ReactNode
  actions?: ReactNode
  isLive?: boolean
}): ReactNode {
  return (
    <div className={`ui-notice ui-notice-${kind}`} {...(isLive && { role: 'status' })}>
      <Icon name={ICONS[kind]} />
      <div className="ui-notice-body">
        {title !== undefined && <strong>{title}</strong>} {children}
      </div>
      {actions !== undefined && <div className="ui-actions">{actions}</div>}
    </div>
  )
}
