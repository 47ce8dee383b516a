import { useLocation } from '@tanstack/react-router'
import { Suspense, useEffect } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { useScope } from '../api/context.tsx'
import { useConsoleConfig } from '../config-context.tsx'
import type { PageId, PageRoute } from '../routes.ts'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { Page } from '../ui/Page.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'
import { useDocumentTitle } from './use-document-title.ts'

/** Around each page: who may see it, its name in the tab, and the focus when it was come to. */
export function PageFrame({ page, children }: { page: PageRoute; children: ReactNode }): ReactElement {
  const { mode } = useConsoleConfig()
  const { mayWrite } = useScope()
  const isOpen = mode === 'operator' ? page.isForOperators : !page.isWrite || mayWrite || page.id === 'support'
  useDocumentTitle(page.title)
  return (
    <Suspense fallback={<PageSkeleton title={page.title} />}>
      <FocusHeading pageId={page.id}>{isOpen ? children : <ShutPage page={page} />}</FocusHeading>
    </Suspense>
  )
}

/** Safe by absence, and said (principle 7): what a write page shows to whoever may not write. */
function ShutPage({ page }: { page: PageRoute }): ReactElement {
  const { mode } = useConsoleConfig()
  const { organizationName } = useScope()
  const whose = organizationName ?? 'this organization'
  return (
    <Page title={page.title}>
      {mode === 'operator' ? (
        <ErrorBox title="Not available while viewing as a customer.">
          {page.title} changes data. Only members of {whose} can do this.
        </ErrorBox>
      ) : (
        <ErrorBox title="Your role may not change this.">
          {page.title} changes data. Ask an administrator of {whose}.
        </ErrorBox>
      )}
    </Page>
  )
}

/** Until a page's code is here: its head is where it will be. */
function PageSkeleton({ title }: { title: string }): ReactElement {
  return (
    <Page title={title}>
      <Skeleton height="60vh" />
    </Page>
  )
}

/** Gives the focus to the heading whenever another page was come to; not with the first, and not for a change of the query. */
function FocusHeading({ pageId, children }: { pageId: PageId; children: ReactNode }): ReactElement {
  const path = useLocation({ select: ({ pathname }) => pathname })
  useEffect(() => {
    // The page that is left sees the new path first, then the one that was come to: each counts as another.
    const isOther = last.path !== undefined && (last.path !== path || last.pageId !== pageId)
    // Back and forward return to where one was, which the browser knows.
    if (isOther && !last.isReturn) window.scrollTo(0, 0)
    if (last.pageId !== pageId || last.path !== path) last.changedAt = isOther ? performance.now() : -Infinity
    last.path = path
    last.pageId = pageId
    // A page may be put up twice while it loads: the second one is no other page, and gets the focus too.
    return performance.now() - last.changedAt < SETTLING_MS ? keepHeadingFocused() : undefined
  }, [path, pageId])
  return <>{children}</>
}

/** For how long a page may still put another heading in the place of the first one, while its parts arrive. */
const SETTLING_MS = 3000

/** Focuses the heading, and the one that replaces it, until somebody has put the focus elsewhere. Gives what stops it. */
function keepHeadingFocused(): () => void {
  const focus = (): void => {
    if (document.activeElement === null || document.activeElement === document.body)
      document.getElementById('page-title')?.focus({ preventScroll: true })
  }
  document.getElementById('page-title')?.focus({ preventScroll: true })
  const observer = new MutationObserver(focus)
  observer.observe(document.body, { childList: true, subtree: true })
  // Whoever has gone on by himself is not brought back here, when a menu that he opened closes for example.
  const onFocus = ({ target }: FocusEvent): void => {
    if (!(target instanceof HTMLHeadingElement)) stop()
  }
  document.addEventListener('focusin', onFocus)
  const stop = (): void => {
    clearTimeout(timer)
    observer.disconnect()
    document.removeEventListener('focusin', onFocus)
  }
  const timer = setTimeout(stop, SETTLING_MS)
  return stop
}

/** Of this tab; each page has a frame of its own, so no frame knows what was before it. */
const last: { path: string | undefined; pageId: PageId | undefined; isReturn: boolean; changedAt: number } = {
  path: undefined,
  pageId: undefined,
  isReturn: false,
  changedAt: -Infinity,
}
addEventListener('popstate', () => {
  last.isReturn = true
})
// Keys that follow a link click it too.
addEventListener(
  'click',
  () => {
    last.isReturn = false
  },
  true,
)
