/** Under which names and with which attributes a listener sets cookies. */
export type CookieJar = {
  readonly session: string
  /** Of one sign-in that is under way, by its state: several tabs may sign in at once. */
  attempt(state: string): string
  /** Names of such cookies that a request brings. */
  attemptsIn(rawHeaders: readonly string[]): readonly string[]
  /** A whole `Set-Cookie`. Without `maxAgeMs` for as long as the browser runs. */
  set(name: string, value: string, options?: { readonly maxAgeMs?: number }): string
  clear(name: string): string
}

const ATTEMPT_NAME_LENGTH = 12

/**
 * `__Host-` (RFC 6265bis section 4.1.3.2) where browsers take it: of this host alone, over https alone, for every path. On plain http, which
 * is loopback, the same without that prefix and `Secure`, since a browser would refuse them. `Lax`: it comes with the navigation back from the
 * identity provider, and with no other site's writes.
 */
export function createCookieJar(publicUrl: string): CookieJar {
  const isSecure = publicUrl.startsWith('https:')
  const prefix = isSecure ? '__Host-' : ''
  const attemptPrefix = `${prefix}ascribe_login_`
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  return {
    session: `${prefix}ascribe_session`,
    attempt: (state) => `${attemptPrefix}${state.replaceAll(/[^\w-]/g, '').slice(0, ATTEMPT_NAME_LENGTH)}`,
    attemptsIn: (rawHeaders) => cookiePairs(rawHeaders).flatMap(([name]) => (name.startsWith(attemptPrefix) ? [name] : [])),
    set(name, value, { maxAgeMs } = {}) {
      const lifetime = maxAgeMs === undefined ? '' : `; Max-Age=${Math.floor(maxAgeMs / 1000)}`
      return `${name}=${value}; ${attributes}${lifetime}`
    },
    clear: (name) => `${name}=; ${attributes}; Max-Age=0`,
  }
}

/** All values of a cookie: more than one is somebody's trick, and never ours. */
export function cookieValues(rawHeaders: readonly string[], wanted: string): readonly string[] {
  return cookiePairs(rawHeaders).flatMap(([name, value]) => (name === wanted ? [value] : []))
}

function cookiePairs(rawHeaders: readonly string[]): (readonly [name: string, value: string])[] {
  const pairs: (readonly [string, string])[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== 'cookie') continue
    for (const pair of (rawHeaders[index + 1] ?? '').split(';')) {
      const mark = pair.indexOf('=')
      if (mark !== -1) pairs.push([pair.slice(0, mark).trim(), pair.slice(mark + 1).trim()])
    }
  }
  return pairs
}
