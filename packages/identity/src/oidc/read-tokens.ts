import type { TokenEndpointResponse } from 'oauth4webapi'
import { systemClock } from '@ascribe/kit'
import { IssuerError } from '../errors.ts'
import { DEFAULT_ALGORITHMS } from '../jwt/access-token.ts'
import { readPrincipal } from '../jwt/bearer.ts'
import type { ClaimMapping, Principal } from '../jwt/bearer.ts'
import { refusal, verifyJwt } from '../jwt/verify-jwt.ts'
import type { JwtClaims, JwtRefusal, VerifyOptions } from '../jwt/verify-jwt.ts'
import type { LoginOutcome, OidcClientOptions, SignedIn } from './types.ts'

export const SKEW_MS = 30_000
const ID_TOKEN_BYTES_MAX = 16 * 1024
/** Of an issuer that does not say how long what it said holds. */
const LIFETIME_S = 300
const SID_LENGTH_MAX = 256

/** How tokens for this client are checked. */
export function verifyOptionsOf({ keys, issuer, clientId, clock = systemClock }: OidcClientOptions): VerifyOptions {
  return {
    keys,
    issuer,
    audience: [clientId],
    algorithms: DEFAULT_ALGORITHMS,
    skewMs: SKEW_MS,
    types: ['jwt'],
    bytesMax: ID_TOKEN_BYTES_MAX,
    clock,
  }
}

/**
 * Who the tokens of a reply are of; of a refresh, `before` says what it leaves out. Signatures are checked here: the library takes the word of
 * the token endpoint for the ID token, and looks at no other.
 */
export async function readTokens(options: OidcClientOptions, tokens: TokenEndpointResponse, before?: SignedIn): Promise<LoginOutcome> {
  const checks = verifyOptionsOf(options)
  const id = tokens.id_token === undefined ? undefined : await verified(tokens.id_token, checks)
  if (id?.kind === 'refused') return id
  const idToken = tokens.id_token ?? before?.idToken
  const subject = id?.claims.sub ?? before?.principal.subject
  const access = await verified(tokens.access_token, { ...checks, audience: 'any', types: ['jwt', 'at+jwt'] })
  // Many issuers put organizations and roles into one of the two only. An access token need not be a JWT.
  const own = access.kind === 'verified' && access.claims.sub === subject ? [access.claims] : []
  const read = principalOf([...(id === undefined ? [] : [id.claims]), ...own], options)
  if (read?.kind === 'refused') return read
  const principal = read?.principal ?? before?.principal
  if (idToken === undefined || principal === undefined) return refusal('claims', 'the tokens do not say who it is')
  const issuerSession = sessionOf(id?.claims) ?? before?.issuerSession
  const refreshToken = tokens.refresh_token ?? before?.refreshToken
  const expiresAt = (options.clock ?? systemClock)() + (tokens.expires_in ?? LIFETIME_S) * 1000
  return {
    kind: 'signed_in',
    signedIn: {
      principal,
      idToken,
      expiresAt,
      ...(issuerSession !== undefined && { issuerSession }),
      ...(refreshToken !== undefined && { refreshToken }),
    },
  }
}

function sessionOf(claims: JwtClaims | undefined): string | undefined {
  const sid = claims?.['sid']
  return typeof sid === 'string' && sid !== '' && sid.length <= SID_LENGTH_MAX ? sid : undefined
}

/** @throws {IssuerError} when there are no keys */
export async function verified(
  token: string,
  options: VerifyOptions,
): Promise<{ readonly kind: 'verified'; readonly claims: JwtClaims } | JwtRefusal> {
  const outcome = await verifyJwt(token, options)
  if (outcome.kind === 'unavailable')
    throw new IssuerError(`Cannot verify tokens of ${options.issuer}`, { cause: outcome.cause, retryable: true })
  return outcome
}

/** One person of the claims of two tokens: what the first does not say, the second may. `undefined`: there are none. */
function principalOf(
  sources: readonly JwtClaims[],
  mapping: ClaimMapping,
): { readonly kind: 'verified'; readonly principal: Principal } | JwtRefusal | undefined {
  let merged: Principal | undefined
  for (const claims of sources) {
    const read = readPrincipal(claims, mapping)
    if (read.kind === 'refused') return read
    const { principal } = read
    merged =
      merged === undefined
        ? principal
        : { ...principal, ...merged, organizations: merged.organizations.length > 0 ? merged.organizations : principal.organizations }
  }
  return merged === undefined ? undefined : { kind: 'verified', principal: merged }
}
