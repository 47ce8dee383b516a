import { useEffect } from 'react'
import { useConsoleConfig } from '../config-context.tsx'

/** The tab's picture while somebody is viewed as, and what the sticky banner covers; hue alone says nothing (design 2). */
export function useViewingMark(): void {
  const { basePath } = useConsoleConfig()
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
    const before = icon?.getAttribute('href')
    icon?.setAttribute('href', `${basePath}favicon-viewing.svg`)
    document.documentElement.classList.add('is-viewing')
    return () => {
      if (before !== null && before !== undefined) icon?.setAttribute('href', before)
      document.documentElement.classList.remove('is-viewing')
    }
  }, [basePath])
}
