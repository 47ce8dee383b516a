import { useEffect, useId, useRef } from 'react'
import type { KeyboardEvent, ReactNode } from 'react'
import { IconButton } from './IconButton.tsx'
import './overlays.css'

/**
 * Details beside the page, which stays in use. Focus goes to its heading when it opens or shows something else, and back to where it came from when
 * it closes. That it is open belongs in the URL, so that Back closes it.
 */
export function Drawer({
  title,
  label,
  actions,
  onClose,
  children,
  returnFocus,
}: {
  title: ReactNode
  /** What it is about, as text: another text moves focus to the heading again. */
  label: string
  actions?: ReactNode
  onClose: () => void
  children: ReactNode
  /** Where focus goes when it closes, if what opened it is gone. */
  returnFocus?: () => HTMLElement | null
}): ReactNode {
  const id = useId()
  const heading = useRef<HTMLHeadingElement>(null)
  const goBack = useRef(returnFocus)
  useEffect(() => {
    goBack.current = returnFocus
  })
  useEffect(() => {
    const opener = document.activeElement
    return () => {
      const target = goBack.current?.() ?? (opener instanceof HTMLElement && opener.isConnected ? opener : null)
      // After the page has drawn itself without the drawer.
      requestAnimationFrame(() => target?.focus())
    }
  }, [])
  useEffect(() => heading.current?.focus(), [label])
  const close = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.defaultPrevented) return
    event.stopPropagation()
    onClose()
  }
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Esc closes it from wherever focus is inside. No aside: that may not be a dialog.
    <div className="ui-drawer" role="dialog" aria-modal="false" aria-labelledby={id} onKeyDown={close}>
      <header className="ui-drawer-head">
        <h2 id={id} ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <div className="ui-actions">
          {actions}
          <IconButton icon="close" label="Close" onPress={onClose} />
        </div>
      </header>
      <div className="ui-drawer-body">{children}</div>
    </div>
  )
}
