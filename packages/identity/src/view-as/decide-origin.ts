import { headerValues } from '../header-values.ts'
import { matchOrigin } from './origin-pattern.ts'
import type { AllowedOrigin, OriginPattern } from './origin-pattern.ts'

/**
 * `data`: a read that a page may show; `navigation`: `/redirect` and the documents of a console, which a browser may open from anywhere;
 * `file`: what a page of ours is made of, nobody's data; `write`: what changes something; `preflight`: the question before one of these.
 */
export type RouteKind = 'data' | 'navigation' | 'file' | 'write' | 'preflight'

export type OriginInput = {
  readonly route: RouteKind
  readonly rawHeaders: readonly string[]
  readonly patterns: readonly OriginPattern[]
}

export type OriginDecision =
  /** `origin`: the page's, which the reply names in its CORS headers, whatever its status. */
  | { readonly kind: 'allowed'; readonly origin?: AllowedOrigin }
  | { readonly kind: 'refused'; readonly reason: OriginFault; readonly message: string }

export type OriginFault = 'repeated' | 'origin' | 'site'

type Seen = { readonly origin: string | undefined; readonly site: string | undefined; readonly mode: string | undefined }

/**
 * Whether the page that sends a request may (R17), from `Origin` (RFC 6454) and `Sec-Fetch-Site` and `-Mode` (W3C Fetch Metadata), which
 * no script can set. Decided before any work: the session cookie of the proxy comes with every request of every site that an operator
 * has open, and each would leave a line "viewed" in his name.
 */
export function decideOrigin({ route, rawHeaders, patterns }: OriginInput): OriginDecision {
  const seen = readSeen(rawHeaders)
  if (seen === undefined) return refused('repeated', 'Origin or Sec-Fetch-Site comes more than once.')
  const { origin, site, mode } = seen
  const allowed = origin === undefined ? undefined : matchOrigin(patterns, origin)
  if (allowed !== undefined) return { kind: 'allowed', origin: allowed }
  switch (route) {
    case 'write':
      // A page's own origin need not be known here, behind a proxy with its own name: the browser says that it is the same.
      return site === 'same-origin' ? { kind: 'allowed' } : refused('origin', NOT_LISTED)
    case 'file':
      // Browsers name the page when they ask for fonts and modules, also that which they belong to.
      if (site === 'same-origin') return { kind: 'allowed' }
      break
    case 'preflight':
      return refused('origin', NOT_LISTED)
    case 'navigation':
      if (origin === undefined && mode === 'navigate') return { kind: 'allowed' }
      break
    case 'data':
      break
  }
  if (origin !== undefined) return refused('origin', NOT_LISTED)
  const isOwn = site === undefined || site === 'same-origin' || site === 'none'
  return isOwn ? { kind: 'allowed' } : refused('site', 'Pages of other sites may not ask this.')
}

const NOT_LISTED = 'This origin may not ask this.'

export type OwnOriginInput = {
  readonly rawHeaders: readonly string[]
  /** Origins under which browsers reach us. */
  readonly ownOrigins: readonly string[]
}

/**
 * Whether a request that comes with our own cookie and changes something was sent by a page of ours: `Origin` must be one of ours, which
 * every browser sends with a write, and `Sec-Fetch-Site`, where it comes, must not contradict. From a form on a page without a referrer
 * (`Referrer-Policy: no-referrer`) browsers say `Origin: null` (Fetch standard, section 3.2); then `Sec-Fetch-Site` alone has to say that it is
 * the same, which it does of no sandboxed page and after no redirect through another site.
 */
export function decideOwnOrigin({ rawHeaders, ownOrigins }: OwnOriginInput): OriginDecision {
  const seen = readSeen(rawHeaders)
  if (seen === undefined) return refused('repeated', 'Origin or Sec-Fetch-Site comes more than once.')
  const { origin, site } = seen
  if (origin === 'null' && site === 'same-origin') return { kind: 'allowed' }
  if (origin === undefined || !ownOrigins.includes(origin)) return refused('origin', NOT_LISTED)
  if (site !== undefined && site !== 'same-origin') return refused('site', 'Pages of other sites may not ask this.')
  return { kind: 'allowed', origin: { origin } }
}

function readSeen(rawHeaders: readonly string[]): Seen | undefined {
  const [origins, sites, modes] = ['origin', 'sec-fetch-site', 'sec-fetch-mode'].map((name) => headerValues(rawHeaders, name))
  if ([origins, sites, modes].some((values) => (values?.length ?? 0) > 1)) return undefined
  return { origin: origins?.[0], site: sites?.[0], mode: modes?.[0] }
}

function refused(reason: OriginFault, message: string): OriginDecision {
  return { kind: 'refused', reason, message }
}
