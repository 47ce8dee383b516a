import type { ReactNode } from 'react'

/** Nothing is here, and why that is, and what to do. */
export function EmptyState({ title, children, actions }: { title: ReactNode; children?: ReactNode; actions?: ReactNode }): ReactNode {
  return (
    <div className="ui-empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children !== undefined && <p>{children}</p>}
      {actions !== undefined && <div className="ui-actions">{actions}</div>}
    </div>
  )
}
