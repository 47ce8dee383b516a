import { BlockList, isIP } from 'node:net'
import { CloudSigmaRequestError } from './errors.ts'

/** Where the API of one region is, from the table of endpoints: nothing here makes a URL from a region. */
export type CloudEndpoint = {
  readonly region: string
  /** With or without the path `/api/2.0/`. */
  readonly apiUrl: URL
  /** Of the same host: everything is sent there and nowhere else. */
  readonly origin: string
}

const API_PATH = '/api/2.0/'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/**
 * The base of every call.
 * @throws {CloudSigmaRequestError} for plain http to another machine, a user in the URL, or an origin that is not the URL's
 */
export function apiUrlOf({ apiUrl, origin, region }: CloudEndpoint): URL {
  const url = new URL(apiUrl.href)
  const refuse = (why: string): never => {
    throw new CloudSigmaRequestError(`Cannot use the endpoint of ${region}: ${why}`)
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    refuse(`${url.origin} is not https, and not this machine`)
  if (url.username !== '' || url.password !== '') refuse('its URL holds a user')
  if (url.search !== '' || url.hash !== '') refuse('its URL holds a query')
  if (url.origin !== origin) refuse(`its URL is at ${url.origin} and its origin is ${origin}`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  if (!url.pathname.endsWith(API_PATH)) url.pathname = `${url.pathname.slice(0, -1)}${API_PATH}`
  return url
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  const family = isIP(host)
  if (family !== 0) return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6')
  return host === 'localhost' || host.endsWith('.localhost')
}

type Place = {
  readonly operation: string
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | undefined>>
}

/** The URL of one call; every path of the API ends in a slash. @throws {CloudSigmaRequestError} should it leave the base */
export function callUrl(base: URL, { operation, path, query = {} }: Place): URL {
  const url = new URL(base)
  const pathname = `${base.pathname}${path.map((part) => encodeURIComponent(part)).join('/')}/`
  url.pathname = pathname
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value))
  // An id such as `..` would have been resolved away.
  if (url.origin !== base.origin || url.pathname !== pathname || pathname.includes('//'))
    throw new CloudSigmaRequestError(`Cannot ${operation}: what it names is no id`)
  return url
}
