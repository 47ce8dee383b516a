import { RegionTableError, RegionUnknownError } from './errors.ts'
import { isLoopbackHost } from './loopback.ts'

/** Where one region is reached: for minting and for every call of its API alike. Frozen. */
export type RegionEndpoint = {
  readonly region: string
  /** Root of the API, ending in `/api/2.0/`. A new object each time: URLs can be changed, this endpoint cannot. */
  readonly apiUrl: URL
  /** Where step 3 is sent; of the same origin as `apiUrl`. */
  readonly impersonateUrl: URL
  /** Scheme, host and port. A token that was minted here goes nowhere else. */
  readonly origin: string
}

/** One region whose host does not follow the template: a partner's location, or a sandbox. */
export type RegionEntry = {
  /** What `/api/2.0/` is put behind, such as `https://direct.dub.example`. */
  readonly api: string
  /** The whole address of step 3. Default: `/service_provider/api/v1/user/impersonate` behind `api`. Must have the origin of `api`. */
  readonly impersonate?: string
}

export type RegionTableOptions = {
  /** Hosts by name: `{region}` is one label of the host, or a part of one. Default {@link DEFAULT_TEMPLATE}, unless there are `entries`. */
  readonly template?: string
  /** The only regions that the template is for. Without it every well-formed name is let through. */
  readonly regions?: readonly string[]
  /** Regions with addresses of their own; they go before the template. */
  readonly entries?: Readonly<Record<string, RegionEntry>>
}

/** The one place where a region becomes an address. */
export type RegionTable = {
  /** @throws {RegionUnknownError} when the name is malformed or not in the table; nothing has been sent anywhere then. */
  endpoint(region: string): RegionEndpoint
  /** The regions that are listed, in order; `undefined` when the template is open to any well-formed name. */
  readonly regions: readonly string[] | undefined
}

export const DEFAULT_TEMPLATE = 'https://direct.{region}.cloudsigma.com'

/** One DNS label in lower case: nothing in it can end a host, begin a path, or carry userinfo (H-3). */
const REGION = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
const PLACEHOLDER = '{region}'
/** Stands in for a region while a template is checked; no real one begins with it, as labels do not hold two hyphens here. */
const PROBE = 'a-region'
const API_PATH = 'api/2.0/'
const IMPERSONATE_PATH = 'service_provider/api/v1/user/impersonate'
/** So that a table fed from outside stays a table. */
const REGIONS_MAX = 1000

/**
 * Checks addresses once and keeps them. Plain http is let through only towards loopback.
 *
 * @throws {RegionTableError} when a template or an entry cannot be trusted with a token.
 */
export function createRegionTable(options: RegionTableOptions = {}): RegionTable {
  const { entries = {}, regions } = options
  const template = options.template ?? (options.entries === undefined ? DEFAULT_TEMPLATE : undefined)
  const known = new Map<string, RegionEndpoint>()
  const listed = [...Object.keys(entries), ...(regions ?? [])]
  if (listed.length > REGIONS_MAX) throw new RegionTableError(`Cannot take ${listed.length} regions: at most ${REGIONS_MAX}`)
  for (const region of listed) {
    if (!REGION.test(region)) throw new RegionTableError(`Cannot list region ${quoted(region)}: ${SHAPE}`)
  }
  for (const [region, entry] of Object.entries(entries)) known.set(region, endpointOf(region, entry.api, entry.impersonate))
  if (template !== undefined) {
    checkTemplate(template)
    for (const region of regions ?? []) if (!known.has(region)) known.set(region, fromTemplate(template, region))
  } else if (regions?.some((region) => !known.has(region)) === true) {
    throw new RegionTableError(`Cannot list regions ${regions.join(', ')}: there is neither a template nor an entry for all of them`)
  }
  const isOpen = template !== undefined && regions === undefined
  return Object.freeze({
    regions: isOpen ? undefined : Object.freeze([...new Set(known.keys())].toSorted()),
    endpoint(region: string): RegionEndpoint {
      if (typeof region !== 'string' || !REGION.test(region))
        throw new RegionUnknownError(`Cannot reach region ${quoted(region)}: ${SHAPE}`)
      const endpoint = known.get(region) ?? (isOpen ? fromTemplate(template, region) : undefined)
      if (endpoint !== undefined) return endpoint
      const list = [...known.keys()].toSorted().join(', ') || 'empty'
      throw new RegionUnknownError(`Cannot reach region ${quoted(region)}: it is not in the table (${list})`)
    },
  })
}

const SHAPE = 'a region is 1 to 32 lower-case letters, digits and inner hyphens'

function checkTemplate(template: string): void {
  const [before = '', after = '', ...more] = template.split(PLACEHOLDER)
  const isInHost = /^https?:\/\/[^/?#\\@]*$/.test(before) && /^[a-z0-9-]*\.[a-z0-9]/.test(after)
  if (more.length > 0 || !isInHost)
    throw new RegionTableError(
      `Cannot use template ${quoted(template)}: ${PLACEHOLDER} stands in it once, in the host, with a domain behind it`,
    )
  fromTemplate(template, PROBE)
}

/** What the template says for one region, asserted after it has been parsed: the host must be the template's with the region in it. */
function fromTemplate(template: string, region: string): RegionEndpoint {
  const host = /^https?:\/\/([^/]*)/.exec(template)?.[1]?.replace(PLACEHOLDER, region) ?? ''
  const endpoint = endpointOf(region, template.replace(PLACEHOLDER, region), undefined)
  const { host: reached, protocol } = new URL(endpoint.origin)
  // URL drops the port that the scheme implies.
  const expected = host.replace(protocol === 'https:' ? /:443$/ : /:80$/, '')
  if (reached !== expected)
    throw new RegionUnknownError(`Cannot reach region ${quoted(region)}: its host would be ${reached}, not ${expected}`)
  return endpoint
}

function endpointOf(region: string, api: string, impersonate: string | undefined): RegionEndpoint {
  const base = trustedUrl(region, api)
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  // Other clients of this API want it in their base; here step 3 stands beside it.
  if (base.pathname.endsWith(`/${API_PATH}`))
    throw new RegionTableError(`Cannot list region ${quoted(region)}: ${quoted(withoutUserinfo(api))} ends in /${API_PATH}; leave that out`)
  const apiUrl = new URL(API_PATH, base).href
  const impersonateUrl = impersonate === undefined ? new URL(IMPERSONATE_PATH, base).href : trustedUrl(region, impersonate).href
  const { origin } = base
  if (new URL(impersonateUrl).origin !== origin)
    throw new RegionTableError(
      `Cannot list region ${quoted(region)}: tokens are minted at ${new URL(impersonateUrl).origin} and used at ${origin}; R-1 asks for one host`,
    )
  return Object.freeze({
    region,
    origin,
    get apiUrl() {
      return new URL(apiUrl)
    },
    get impersonateUrl() {
      return new URL(impersonateUrl)
    },
  })
}

function trustedUrl(region: string, text: string): URL {
  const url = URL.parse(text)
  const refuse = (why: string): never => {
    throw new RegionTableError(`Cannot list region ${quoted(region)}: ${quoted(withoutUserinfo(text))} ${why}`)
  }
  if (url === null) return refuse('is no address')
  if (url.username !== '' || url.password !== '') return refuse('carries a user name')
  if (url.search !== '' || url.hash !== '') return refuse('has a query or a fragment')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('is not https')
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return refuse('is plain http; that is for loopback only')
  return url
}

function withoutUserinfo(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//…@')
}

/** What somebody wrote, on one line, short, with what cannot be seen written out. */
function quoted(text: unknown): string {
  return typeof text === 'string' ? JSON.stringify(text.slice(0, 80)) : `of type ${typeof text}`
}
