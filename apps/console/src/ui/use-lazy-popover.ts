import { useRef, useState } from 'react'
import type { RefObject } from 'react'

export type LazyPopover = {
  readonly isOpen: boolean
  readonly setOpen: (isOpen: boolean) => void
  readonly trigger: RefObject<HTMLButtonElement | null>
  /** For the button: fetches what it opens as soon as somebody comes near. */
  readonly triggerProps: {
    readonly ref: RefObject<HTMLButtonElement | null>
    readonly 'aria-expanded': boolean
    readonly onPress: () => void
    readonly onHoverStart: () => void
    readonly onFocus: () => void
    readonly onKeyDown: (event: { readonly key: string }) => void
  }
}

/** A real button at once; what it opens is fetched when it is needed. */
export function useLazyPopover(load: () => Promise<unknown>): LazyPopover {
  const [isOpen, setOpen] = useState(false)
  const trigger = useRef<HTMLButtonElement>(null)
  const change = (next: boolean): void => {
    setOpen(next)
    if (next) return
    // Once it is gone. Whatever took the focus meanwhile, a page that was gone to for example, keeps it.
    requestAnimationFrame(() => {
      const { activeElement } = document
      if (activeElement === null || activeElement === document.body) trigger.current?.focus()
    })
  }
  const fetchBody = (): void => void load()
  return {
    isOpen,
    setOpen: change,
    trigger,
    triggerProps: {
      ref: trigger,
      'aria-expanded': isOpen,
      onPress: () => change(!isOpen),
      onHoverStart: fetchBody,
      onFocus: fetchBody,
      onKeyDown: ({ key }) => {
        if (key === 'ArrowDown') setOpen(true)
      },
    },
  }
}
