import { createContext, use, useEffect } from 'react'

/** What stands before and after a page's own name in the tab: `[Viewing as] {organization}`. */
export const TitleContext = createContext<readonly string[]>([])

/** Names the tab. @example useDocumentTitle('Overview') // "[Viewing as] Acme · Overview · Ascribe" */
export function useDocumentTitle(page: string): void {
  const before = use(TitleContext).join(' · ')
  useEffect(() => {
    document.title = [before, page, 'Ascribe'].filter((part) => part !== '').join(' · ')
  }, [before, page])
}
