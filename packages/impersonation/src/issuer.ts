import { ImpersonationInputError } from './errors.ts'
import { isLoopbackHost } from './loopback.ts'

export type IssuerOptions = {
  /** Root of the authorization server, such as `https://oauth.cloudsigma.com`; a path in it is kept. */
  readonly oauthUrl: string
  /** Default `cloudsigma`. */
  readonly realm?: string
}

/** A realm of an authorization server, checked. */
export type Issuer = {
  /** As tokens have it in `iss`: `https://host/realms/realm`. */
  readonly href: string
  readonly host: string
  /** Where steps 1 and 2 are sent. */
  readonly tokenUrl: URL
}

const REALM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Checks where secrets will be sent: https, or http towards loopback (H-21). @throws {ImpersonationInputError} */
export function createIssuer({ oauthUrl, realm = 'cloudsigma' }: IssuerOptions): Issuer {
  const url = URL.parse(oauthUrl)
  const refuse = (why: string): never => {
    throw new ImpersonationInputError(`Cannot use the OAuth address ${JSON.stringify(oauthUrl.replace(/\/\/[^/]*@/, '//…@'))}: it ${why}`)
  }
  if (url === null) return refuse('is no address')
  if (url.username !== '' || url.password !== '') return refuse('carries a user name')
  if (url.search !== '' || url.hash !== '') return refuse('has a query or a fragment')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname)))
    return refuse('is not https; plain http is for loopback only')
  if (!REALM.test(realm))
    throw new ImpersonationInputError(`Cannot use the realm ${JSON.stringify(realm.slice(0, 80))}: it is no name of one`)
  const root = url.href.endsWith('/') ? url.href : `${url.href}/`
  const href = new URL(`realms/${realm}`, root).href
  return Object.freeze({
    href,
    host: url.host,
    get tokenUrl() {
      return new URL(`${href}/protocol/openid-connect/token`)
    },
  })
}
