import type { ReactNode } from 'react'

/** A page's head and body. The shell focuses its heading when the route changes. */
export function Page({
  title,
  asOf,
  actions,
  children,
}: {
  title: ReactNode
  asOf?: ReactNode
  actions?: ReactNode
  children: ReactNode
}): ReactNode {
  return (
    <div className="ui-page">
      <header className="ui-page-head">
        <h1 id="page-title" tabIndex={-1}>
          {title}
        </h1>
        {asOf !== undefined && <p className="ui-as-of">{asOf}</p>}
        {actions !== undefined && <div className="ui-actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}
