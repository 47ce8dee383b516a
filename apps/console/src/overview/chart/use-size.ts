import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { RefObject } from 'react'
import { flushSync } from 'react-dom'

/** What A4 and Letter both have between their margins, in pixels of a style sheet. */
const PAPER_PX = 670

/** The width of an element in whole pixels, as it is laid out; 0 before it is. On paper, that of the paper. */
export function useWidth<Kind extends HTMLElement>(): { readonly ref: RefObject<Kind | null>; readonly width: number } {
  const ref = useRef<Kind>(null)
  const [width, setWidth] = useState(0)
  const [isPaper, setPaper] = useState(false)
  // Before anything is painted: what is drawn is there at once, and nothing below it jumps.
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return undefined
    setWidth(element.clientWidth)
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.floor(entry.contentRect.width))
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    // Nothing observes a page being printed: it is drawn anew before.
    const before = (): void => flushSync(() => setPaper(true))
    const after = (): void => setPaper(false)
    window.addEventListener('beforeprint', before)
    window.addEventListener('afterprint', after)
    return () => {
      window.removeEventListener('beforeprint', before)
      window.removeEventListener('afterprint', after)
    }
  }, [])
  return { ref, width: isPaper ? PAPER_PX : width }
}
