import { IssuerError } from '../errors.ts'
import { isConfidentialUrl } from '../loopback-url.ts'
import { fetchJson, outboundFetch } from '../outbound-fetch.ts'
import type { Fetch } from '../outbound-fetch.ts'

/** What an identity provider says of itself (OpenID Connect Discovery 1.0 section 3). */
export type IssuerMetadata = Readonly<Record<string, unknown>> & { readonly issuer: string; readonly jwks_uri: string }

export type DiscoveryOptions = {
  readonly fetch?: Fetch
  /** Default 5 s. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5_000

/**
 * Reads `{issuer}/.well-known/openid-configuration`. What it says its issuer is has to be `issuer`, letter by letter (section 4.3);
 * otherwise one provider could speak for another. @throws {IssuerError}
 */
export async function discoverIssuer(issuer: string, options: DiscoveryOptions = {}): Promise<IssuerMetadata> {
  const { fetch = outboundFetch, timeoutMs = TIMEOUT_MS } = options
  const base = URL.parse(issuer)
  if (base === null || base.search !== '' || base.hash !== '' || base.username !== '' || base.password !== '')
    throw new IssuerError(`Cannot use the issuer ${JSON.stringify(issuer)}: it is not a URL without query and fragment`)
  if (!isConfidentialUrl(base)) throw new IssuerError(`Cannot use the issuer ${issuer}: plain http is for loopback only`)
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  let found: Readonly<Record<string, unknown>>
  try {
    found = await fetchJson(url, { fetch, timeoutMs })
  } catch (cause) {
    throw new IssuerError(`Cannot read the configuration of the issuer at ${url}`, { cause, retryable: true })
  }
  if (found['issuer'] !== issuer)
    throw new IssuerError(
      `Cannot use the issuer ${issuer}: it calls itself ${(JSON.stringify(found['issuer']) ?? 'nothing').slice(0, 200)}`,
    )
  const jwksUri = found['jwks_uri']
  const jwksUrl = typeof jwksUri === 'string' ? URL.parse(jwksUri) : null
  if (typeof jwksUri !== 'string' || jwksUrl === null || !isConfidentialUrl(jwksUrl))
    throw new IssuerError(`Cannot use the issuer ${issuer}: it has no jwks_uri of https`)
  return { ...found, issuer, jwks_uri: jwksUri }
}
