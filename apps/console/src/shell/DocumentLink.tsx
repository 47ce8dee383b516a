import type { ReactElement, ReactNode } from 'react'

/** A way out of the console's own pages: the browser loads a document, and looks like the button that people expect. */
export function DocumentLink({ href, children }: { href: string; children: ReactNode }): ReactElement {
  return (
    <a href={href} className="ui-button ui-primary ui-size-m">
      <span className="ui-button-text">{children}</span>
    </a>
  )
}
