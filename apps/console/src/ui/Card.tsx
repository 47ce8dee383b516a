import { useId } from 'react'
import type { ReactNode } from 'react'

type Props = {
  title?: ReactNode
  actions?: ReactNode
  children: ReactNode
  /** Without padding: for tables, which bring their own. */
  isFlush?: boolean
  'aria-label'?: string
}

/** A part of a page with a heading of its own. */
export function Card({ title, actions, children, isFlush = false, 'aria-label': label }: Props): ReactNode {
  const id = useId()
  const name = label !== undefined ? { 'aria-label': label } : title !== undefined ? { 'aria-labelledby': id } : {}
  return (
    <section className={isFlush ? 'ui-card ui-card-flush' : 'ui-card'} {...name}>
      {(title !== undefined || actions !== undefined) && (
        <div className="ui-card-head">
          {title !== undefined && <h2 id={id}>{title}</h2>}
          {actions !== undefined && <div className="ui-actions">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  )
}
