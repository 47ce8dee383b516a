import { createHash, randomUUID } from 'node:crypto'
import type { Claims } from '../jwt/rsa-key.ts'
import { type IssuerUser, subjectOf } from './people.ts'

/** What a token of a user should have wrong. */
export type TokenFaults = {
  readonly expired?: boolean
  readonly wrongIssuer?: boolean
  readonly wrongAudience?: boolean
  /** Signed by a key that the JWKS does not list. */
  readonly wrongKey?: boolean
  /** No `organization_id`. */
  /** The mail address is what its user typed, and nobody has looked. */
  readonly emailNotVerified?: boolean
  readonly noOrganization?: boolean
  /** No `ascribe_role`. */
  readonly noRole?: boolean
}

export type TokenFacts = {
  readonly issuer: string
  readonly audience: string
  readonly clientId: string
  readonly user: IssuerUser
  readonly sessionId: string
  readonly scope: string
  /** Epoch seconds. */
  readonly iat: number
  readonly ttlS: number
}

const HOUR_S = 3600

/** What both tokens say of a user, in Keycloak's words. An organization is always a list, as Keycloak's multi-valued attributes are. */
export function userClaims(user: IssuerUser, faults: TokenFaults = {}): Claims {
  return {
    email_verified: faults.emailNotVerified !== true,
    name: user.name,
    preferred_username: user.username,
    email: user.email,
    ...(user.organizations.length > 0 && faults.noOrganization !== true && { organization_id: user.organizations }),
    ...(faults.noRole !== true && { ascribe_role: user.role }),
  }
}

/** Claims of an access token. */
export function accessClaims(
  { issuer, audience, clientId, user, sessionId, scope, iat, ttlS }: TokenFacts,
  faults: TokenFaults = {},
): Claims {
  return {
    exp: faults.expired === true ? iat - HOUR_S : iat + ttlS,
    iat,
    jti: randomUUID(),
    iss: faults.wrongIssuer === true ? `${issuer}/other` : issuer,
    aud: faults.wrongAudience === true ? `${audience}-other` : audience,
    sub: subjectOf(user.username),
    typ: 'Bearer',
    azp: clientId,
    sid: sessionId,
    scope,
    ...userClaims(user, faults),
  }
}

/** Claims of an ID token (OpenID Connect Core section 2). */
export function idClaims(
  { issuer, clientId, user, sessionId, iat, ttlS }: TokenFacts,
  { accessToken, nonce, authTime }: { readonly accessToken: string; readonly nonce: string | undefined; readonly authTime: number },
): Claims {
  return {
    exp: iat + ttlS,
    iat,
    auth_time: authTime,
    jti: randomUUID(),
    iss: issuer,
    aud: clientId,
    sub: subjectOf(user.username),
    typ: 'ID',
    azp: clientId,
    sid: sessionId,
    ...(nonce !== undefined && { nonce }),
    // The left half of the hash, section 3.1.3.6.
    at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
    ...userClaims(user),
  }
}

/** Claims of the message that tells a client that a session has ended (Back-Channel Logout section 2.4). */
export function logoutClaims({ issuer, clientId, user, sessionId, iat }: Omit<TokenFacts, 'audience' | 'scope' | 'ttlS'>): Claims {
  return {
    iss: issuer,
    aud: clientId,
    iat,
    exp: iat + 120,
    jti: randomUUID(),
    sub: subjectOf(user.username),
    sid: sessionId,
    typ: 'Logout',
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  }
}
