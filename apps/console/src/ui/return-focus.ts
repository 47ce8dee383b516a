/*
 * Where the focus goes when a dialog closes: to the button that it was opened by. The library knows what had the focus last, which is often gone: the item of
 * a menu, or a button of the page that the dialog's own address has put in the place of the one before.
 */

let last: HTMLElement | undefined

/** Of overlays: what is in them goes with them. Headings that only scripts focus opened nothing. */
addEventListener('focusin', ({ target }) => {
  if (target instanceof HTMLElement && target.tabIndex >= 0 && target.closest('.ui-overlay, .ui-popover') === null) last = target
})

/** A button drawn anew for the same thing is called the same. */
function nameOf(element: HTMLElement): string {
  return element.getAttribute('aria-label') ?? element.textContent
}

/** For how long a page may take to be there again. */
const SETTLING_MS = 3000

/** Remembers what opened an overlay that is about to open. Gives what gives the focus back to it. */
export function rememberOpener(): () => void {
  const opener = last
  if (opener === undefined) return () => {}
  const [tag, name] = [opener.tagName, nameOf(opener)]
  return () => {
    const until = performance.now() + SETTLING_MS
    const look = (): void => {
      const { activeElement } = document
      const isFree = activeElement === null || activeElement === document.body || activeElement.id === 'page-title'
      // Another overlay has taken its place, or whoever it is for has gone on.
      if (!isFree || document.querySelector('.ui-overlay') !== null) return
      const target = opener.isConnected ? opener : [...document.querySelectorAll<HTMLElement>(tag)].find((each) => nameOf(each) === name)
      if (target !== undefined) target.focus()
      else if (performance.now() < until) requestAnimationFrame(look)
    }
    // After the page has drawn itself without the overlay, and its own heading has been focused where it is another page.
    requestAnimationFrame(() => requestAnimationFrame(look))
  }
}
