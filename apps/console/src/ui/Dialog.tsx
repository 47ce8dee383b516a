import { Suspense, lazy, useEffect } from 'react'
import type { ReactNode } from 'react'
import type { DialogBodyProps } from './DialogBody.tsx'
import { rememberOpener } from './return-focus.ts'

const load = async (): Promise<{ default: (props: DialogBodyProps) => ReactNode }> => ({
  default: (await import('./DialogBody.tsx')).DialogBody,
})
const Body = lazy(load)

/** One decision, over the page: focus stays in it and goes back to where it was. Esc closes it, unless it is locked. */
export function Dialog({ isOpen, ...props }: DialogBodyProps & { isOpen: boolean }): ReactNode {
  useEffect(() => (isOpen ? rememberOpener() : undefined), [isOpen])
  if (!isOpen) return null
  return (
    <Suspense fallback={null}>
      <Body {...props} />
    </Suspense>
  )
}

/** The buttons of a dialog or a form; the one that does it comes first. */
export function DialogActions({ children }: { children: ReactNode }): ReactNode {
  return <div className="ui-dialog-actions">{children}</div>
}
