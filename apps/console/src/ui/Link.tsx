import { use } from 'react'
import type { MouseEvent, ReactNode } from 'react'
import { Icon } from './Icon.tsx'
import { NavigateContext } from './navigate.ts'

type Props = {
  href: string
  children: ReactNode
  /** `button` and `primary` look like one; `row` fills the cell that it stands in. */
  kind?: 'text' | 'button' | 'primary' | 'row'
  isExternal?: boolean
  download?: string | boolean
  title?: string
  'aria-current'?: 'page'
  'aria-label'?: string
  onClick?: () => void
}

const CLASS = {
  text: 'ui-link',
  row: 'ui-link ui-link-row',
  button: 'ui-button ui-secondary ui-size-m',
  primary: 'ui-button ui-primary ui-size-m',
}

/** A real link: it opens in a new tab, is copied and shows where it leads. Within the console a plain click loads no document. */
export function Link({ href, children, kind = 'text', isExternal = false, onClick, ...rest }: Props): ReactNode {
  const navigate = use(NavigateContext)
  const follow = (event: MouseEvent): void => {
    onClick?.()
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (!isPlain || isExternal || rest.download !== undefined || event.defaultPrevented) return
    event.preventDefault()
    navigate(href)
  }
  return (
    <a href={href} className={CLASS[kind]} onClick={follow} {...(isExternal && { target: '_blank', rel: 'noreferrer' })} {...rest}>
      {children}
      {isExternal && <Icon name="external" size={12} label="opens in a new tab" />}
    </a>
  )
}
