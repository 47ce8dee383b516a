import { authenticateClient } from './authenticate-client.ts'
import { type Form, hasDuplicate } from './form.ts'
import type { Call, Reply } from './http.ts'
import { OauthRefusal, tokenReply } from './keycloak-reply.ts'
import type { OauthRealm } from './oauth-realm.ts'
import type { RealmClient } from './realm.ts'
import { serviceAccountClaims } from './token-claims.ts'

const DEFAULT_SCOPES = ['email', 'profile']
const KNOWN_SCOPES = new Set([
  ...DEFAULT_SCOPES,
  'openid',
  'address',
  'phone',
  'roles',
  'web-origins',
  'basic',
  'acr',
  'microprofile-jwt',
  'offline_access',
  'organization',
  'service_account',
])
const REFRESH_LIFETIME_S = 1800

/** Step 1: the grant `client_credentials`. @throws {OauthRefusal} */
export function grantClientCredentials(realm: OauthRealm, call: Call, form: Form): Reply {
  const client = authenticateClient(call, form, { clients: realm.clients, now: realm.now() })
  if (hasDuplicate(form)) throw new OauthRefusal(400, 'invalid_request', 'duplicated parameter')
  assertServiceAccount(client)
  if (client.refusedByPolicy) throw new OauthRefusal(400, 'invalid_request', 'Request not allowed')
  return tokenReply(serviceToken(realm, client, { call, scope: scopeOf(form) }))
}

/** The scope of a token: what was asked for and what every client has. @throws {OauthRefusal} */
export function scopeOf(form: Form): string {
  const asked = (form.get('scope') ?? '').split(' ').filter((each) => each !== '')
  if (asked.some((each) => !KNOWN_SCOPES.has(each))) throw new OauthRefusal(400, 'invalid_scope', `Invalid scopes: ${asked.join(' ')}`)
  return [...new Set([...asked, ...DEFAULT_SCOPES])].join(' ')
}

/** That a client has a service user who may log in. @throws {OauthRefusal} */
export function assertServiceAccount(client: RealmClient): void {
  if (client.access === 'public')
    throw new OauthRefusal(401, 'unauthorized_client', 'Public client not allowed to retrieve service account')
  if (!client.serviceAccount) throw new OauthRefusal(401, 'unauthorized_client', 'Client not enabled to retrieve service account')
  if (client.serviceUser === 'missing')
    throw new OauthRefusal(401, 'invalid_request', 'The associated service account for the client does not exist')
  if (client.serviceUser === 'disabled') throw new OauthRefusal(401, 'invalid_request', `User 'service-account-${client.id}' disabled`)
}

function serviceToken(
  realm: OauthRealm,
  client: RealmClient,
  { call, scope }: { call: Call; scope: string },
): Readonly<Record<string, unknown>> {
  const iat = Math.floor(realm.now() / 1000)
  const lifetimeS = realm.lifetimeS('service-token', client)
  const session = client.refreshTokens ? realm.newUuid() : undefined
  const facts = {
    realm: realm.name,
    issuer: realm.issuerAt(call.host),
    client,
    subject: realm.subjectOf(client),
    jti: realm.newUuid(),
    iat,
    exp: iat + lifetimeS,
  }
  const claims = serviceAccountClaims(facts, { scope, clientAddress: call.clientAddress, ...(session !== undefined && { session }) })
  const refresh = { ...facts, exp: iat + REFRESH_LIFETIME_S }
  return {
    access_token: realm.keys.sign(claims),
    expires_in: lifetimeS,
    refresh_expires_in: session === undefined ? 0 : REFRESH_LIFETIME_S,
    ...(session !== undefined && {
      refresh_token: realm.keys.sign({ exp: refresh.exp, iat, jti: realm.newUuid(), typ: 'Refresh', sid: session }),
    }),
    token_type: 'Bearer',
    'not-before-policy': realm.notBefore,
    ...(session !== undefined && { session_state: session }),
    scope,
  }
}
