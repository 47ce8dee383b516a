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
    if (last.pageId !== pageId || last.path !== path) last.isSettling = isOther
    last.path = path
    last.pageId = pageId
    // A page may be put up twice while it loads, however long that takes: the second one is no other page, and gets the focus too.
    return last.isSettling ? keepHeadingFocused() : undefined
  }, [path, pageId])
  return <>{children}</>
}

/** Focuses the heading, and each that takes its place while the page's parts arrive, until somebody goes on by himself. Gives what stops it. */
function keepHeadingFocused(): () => void {
  // The link that was followed, as a rule: it keeps the focus until there is a heading.
  const from = document.activeElement
  const focus = (): void => {
    const at = document.activeElement
    if (at === null || at === document.body || at === from) document.getElementById('page-title')?.focus({ preventScroll: true })
  }
  focus()
  const observer = new MutationObserver(() => {
    if (last.isSettling) focus()
    else observer.disconnect()
  })
  observer.observe(document.body, { childList: true, subtree: true })
  return () => observer.disconnect()
}

/** Of this tab; each page has a frame of its own, so no frame knows what was before it. */
const last: {
  path: string | undefined
  pageId: PageId | undefined
  isReturn: boolean
  /** Since the page was come to, nobody has done anything on it. */
  isSettling: boolean
} = { path: undefined, pageId: undefined, isReturn: false, isSettling: false }
addEventListener('popstate', () => {
  last.isReturn = true
})
// Whoever has gone on by himself is not brought back to the heading, when a menu that he opened closes for example.
const goOn = ({ target }: Event): void => {
  if (!(target instanceof HTMLHeadingElement)) last.isSettling = false
}
for (const type of ['focusin', 'pointerdown', 'keydown']) addEventListener(type, goOn, true)
// Keys that follow a link click it too.
addEventListener(
  'click',
  () => {
    last.isReturn = false
  },
  true,
)
