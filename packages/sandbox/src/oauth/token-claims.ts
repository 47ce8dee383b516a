import type { RealmClient } from './realm.ts'
import type { Claims } from './signing-keys.ts'

/** What both kinds of access token say of a service account. Keys stand in Keycloak's order. */
export type TokenFacts = {
  readonly realm: string
  readonly issuer: string
  readonly client: RealmClient
  readonly subject: string
  readonly jti: string
  /** Epoch seconds. */
  readonly iat: number
  readonly exp: number
}

const roles = (realm: string): Claims => ({
  realm_access: { roles: ['offline_access', `default-roles-${realm}`, 'uma_authorization'] },
  resource_access: { account: { roles: ['manage-account', 'manage-account-links', 'view-profile'] } },
})
const userName = (client: RealmClient): string => `service-account-${client.id}`

/** Claims of step 1's token. `session` where the client has refresh tokens switched on. */
export function serviceAccountClaims(
  facts: TokenFacts,
  { scope, clientAddress, session }: { scope: string; clientAddress: string; session?: string },
): Claims {
  const { realm, client, issuer, subject, iat, exp } = facts
  const kind = client.lightweight ? 'trltcc' : session === undefined ? 'trrtcc' : 'onrtcc'
  const base = { exp, iat, jti: `${kind}:${facts.jti}`, iss: issuer }
  if (client.lightweight) return { ...base, sub: subject, typ: 'Bearer', azp: client.id, scope }
  return {
    ...base,
    aud: client.audience.length === 0 ? 'account' : [...client.audience, 'account'],
    sub: subject,
    typ: 'Bearer',
    azp: client.id,
    ...(session !== undefined && { sid: session }),
    acr: '1',
    ...roles(realm),
    scope,
    email_verified: false,
    clientHost: clientAddress,
    preferred_username: userName(client),
    clientAddress,
    client_id: client.id,
  }
}

/** Claims of a token that was exchanged for another: the subject is the other's, the client the one that asked. */
export function exchangedClaims(facts: TokenFacts, { scope, userName: name }: { scope: string; userName: string }): Claims {
  const { realm, client, issuer, subject, iat, exp } = facts
  return {
    exp,
    iat,
    jti: `trrtte:${facts.jti}`,
    iss: issuer,
    aud: 'account',
    sub: subject,
    typ: 'Bearer',
    azp: client.id,
    acr: '1',
    ...roles(realm),
    scope,
    email_verified: false,
    preferred_username: name,
  }
}

/** One permission of an RPT. */
export type Permission = { readonly scopes: readonly string[]; readonly rsid: string; readonly rsname?: string }

/** Claims of step 2's token: `aud` is the resource server alone, and there is no `client_id`. */
export function rptClaims(facts: TokenFacts, { audience, permissions }: { audience: string; permissions: readonly Permission[] }): Claims {
  const { realm, client, issuer, subject, iat, exp } = facts
  return {
    exp,
    iat,
    jti: `trrtna:${facts.jti}`,
    iss: issuer,
    aud: audience,
    sub: subject,
    typ: 'Bearer',
    azp: client.id,
    acr: '1',
    ...roles(realm),
    authorization: { permissions },
    scope: 'email profile',
    email_verified: false,
    preferred_username: userName(client),
  }
}
