/**
 * How cookies are written. `secure`: as Teleport's, `__Host-`, Secure, SameSite=None; Chromium takes them over http from localhost
 * too. `loopback`: without prefix, Secure and SameSite, for browsers that do not; apps below one host are one site, so that they work.
 */
export type CookieForm = 'secure' | 'loopback'

/** Names without the prefix. */
export const SESSION_COOKIE = 'grv_app_session'
export const SUBJECT_COOKIE = 'grv_app_session_subject'
export const STATE_COOKIE = 'grv_app_auth_state'
/** Of the proxy's own pages. */
export const WEB_COOKIE = 'session'

const PREFIX = '__Host-'

/** A `Set-Cookie` value. `maxAgeS` of 0 deletes. */
export function setCookie(
  form: CookieForm,
  name: string,
  { value, maxAgeS }: { readonly value: string; readonly maxAgeS?: number },
): string {
  const age = maxAgeS === undefined ? '' : `; Max-Age=${maxAgeS}`
  return form === 'secure'
    ? `${PREFIX}${name}=${value}; Path=/${age}; HttpOnly; Secure; SameSite=None`
    : `${name}=${value}; Path=/${age}; HttpOnly`
}

/** Cookie name as it stands in a request. */
export function cookieName(form: CookieForm, name: string): string {
  return form === 'secure' ? `${PREFIX}${name}` : name
}

/** The cookies of a request, by name; of two with one name the first. */
export function readCookies(header: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at).trim()
    if (at > 0 && !found.has(name)) found.set(name, pair.slice(at + 1).trim())
  }
  return found
}

/** A `Cookie` header without those that are Teleport's own; undefined when none is left. */
export function withoutOwnCookies(header: string | undefined): string | undefined {
  const left = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !/^(__Host-)?grv_app_(session|session_subject|auth_state_[0-9a-f]+)=/.test(pair))
  return left.length === 0 ? undefined : left.join('; ')
}
