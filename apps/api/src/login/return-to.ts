/** Where the console is: what a sign-in leads to. */
export const DEFAULT_RETURN_TO = '/console/'

const LENGTH_MAX = 1024
/** A path of one leading slash, and no character that a browser repairs, drops or takes for a slash. */
const SHAPE = /^\/(?!\/)[!-[\]-~]*$/
/** Leading there again would go in circles. */
const OWN = /^\/log(?:in|out)(?:[/?#]|$)/

/**
 * The path of ours that a sign-in leads back to, in normalised form; `undefined`: it could lead elsewhere, and is not followed. `origin` is
 * ours.
 */
export function checkReturnTo(text: string, origin: string): string | undefined {
  if (text.length > LENGTH_MAX || !SHAPE.test(text)) return undefined
  const url = URL.parse(text, origin)
  if (url === null || url.origin !== origin || url.pathname.startsWith('//')) return undefined
  const path = `${url.pathname}${url.search}${url.hash}`
  // Ways up have been resolved; what that gives must be a path of ours still.
  return OWN.test(path) ? undefined : path
}
