import { matchOrigin } from './origin-pattern.ts'
import type { OriginPattern } from './origin-pattern.ts'

export type RedirectTarget =
  /** `location`: in its normalised form, which is the only one that is sent on. */
  | { readonly kind: 'redirect'; readonly location: string; readonly organizationId?: string }
  | { readonly kind: 'refused'; readonly reason: TargetFault; readonly message: string }

export type TargetFault = 'missing' | 'repeated' | 'malformed' | 'host' | 'path'

/** Browsers and proxies differ beyond about this. */
const LENGTH_MAX = 4096
/** Scheme, authority, rest. The authority has no user, no bracket, no escape, nothing that a parser would have to repair. */
const SHAPE = /^(https?):\/\/([a-z0-9.-]+)(?::([0-9]{1,5}))?(\/[!-[\]-~]*)$/i
const PATH = '/internal-console'
/** A slash, backslash, dot or control character that is written as an escape, or as the escape of one: the next server might undo it. */
const HIDDEN = /%(?:25)*(?:2e|2f|5c|[01][0-9a-f]|7f)/i
/** An escape that is none. */
const BROKEN = /%(?![0-9a-f]{2})/i

/**
 * Where `/redirect?to=` may send a browser (R20): to the origin of an allowed app, to the path `/internal-console` followed by its end,
 * `/`, `?` or `#`. Query, deep path and fragment survive. `to` is the parameter as the query's parser gave it, unescaped once.
 */
export function checkRedirectTarget(to: unknown, patterns: readonly OriginPattern[]): RedirectTarget {
  if (to === undefined || to === '') return refused('missing', 'The parameter "to" is missing.')
  if (typeof to !== 'string') return refused('repeated', 'The parameter "to" comes more than once.')
  const shape = to.length > LENGTH_MAX ? null : SHAPE.exec(to)
  const url = shape === null ? null : URL.parse(to)
  if (shape === null || url === null) return refused('malformed', 'The parameter "to" is not the whole URL of a console.')
  const [, scheme = '', host = '', port, rest = ''] = shape
  // A name that the parser reads otherwise than it stands there is nobody's: numbers as addresses, punycode that decodes to nothing.
  const isPlain =
    url.hostname === host.toLowerCase() && url.protocol === `${scheme.toLowerCase()}:` && (port === undefined || fits(url, port))
  const allowed = isPlain ? matchOrigin(patterns, url.origin) : undefined
  if (allowed === undefined) return refused('host', 'The parameter "to" names no app that is allowed here.')
  const path = /^[^?#]*/.exec(rest)?.[0] ?? ''
  const isInside = path === PATH || path.startsWith(`${PATH}/`)
  const isStraight = url.pathname === path && !path.includes('//') && !HIDDEN.test(path) && !BROKEN.test(path)
  if (!isInside || !isStraight) return refused('path', `The parameter "to" leads elsewhere than below ${PATH}.`)
  const { organizationId } = allowed
  return { kind: 'redirect', location: url.href, ...(organizationId !== undefined && { organizationId }) }
}

/** The port as it is written: what the URL holds, or the scheme's own, which a URL leaves out. */
function fits(url: URL, port: string): boolean {
  return url.port === port || (url.port === '' && port === (url.protocol === 'https:' ? '443' : '80'))
}

function refused(reason: TargetFault, message: string): RedirectTarget {
  return { kind: 'refused', reason, message }
}
