import { createContext } from 'react'
import type { Context } from 'react'

/** How a link to a page of ours is followed without loading a document. The shell gives the router's way; without it a link is a link. */
export const NavigateContext: Context<(href: string) => void> = createContext((href: string) => {
  window.location.assign(href)
})
