import { authenticateClient } from './authenticate-client.ts'
import { grantClientCredentials } from './client-credentials.ts'
import { openidConfiguration, uma2Configuration } from './discovery.ts'
import { parseForm } from './form.ts'
import { type Call, type Reply, bearerOf, jsonObject } from './http.ts'
import { KEYCLOAK_HEADERS, OauthRefusal, bareError, tokenReply } from './keycloak-reply.ts'
import type { OauthRealm, RealmStep } from './oauth-realm.ts'
import { grantTokenExchange } from './token-exchange.ts'
import { grantUma } from './uma.ts'

const UMA_GRANT = 'urn:ietf:params:oauth:grant-type:uma-ticket'
const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TICKET_LIFETIME_S = 300
const DISCOVERY_CACHING = { 'Cache-Control': 'no-cache, must-revalidate, no-transform, no-store' }

/** Which of the client's steps a request under `/realms/` is; undefined for the rest. */
export function realmStepOf(call: Call): RealmStep | undefined {
  if (call.method !== 'POST' || !call.path.endsWith('/protocol/openid-connect/token')) return undefined
  const grant = parseForm(call.headers['content-type'], call.body).get('grant_type')
  return grant === UMA_GRANT ? 'rpt' : grant === 'client_credentials' ? 'service-token' : undefined
}

/** Answers what Keycloak answers under `/realms/`. */
export function serveRealm(realm: OauthRealm, call: Call): Reply {
  const [, , name, ...rest] = call.path.split('/')
  if (name !== realm.name) return bareError(404, 'Realm does not exist')
  const base = `http://${call.host}`
  try {
    switch (rest.join('/')) {
      case 'protocol/openid-connect/token':
        return call.method === 'POST' ? grant(realm, call) : bareError(405, 'HTTP 405 Method Not Allowed')
      case 'protocol/openid-connect/certs':
        return { status: 200, headers: { 'Cache-Control': 'no-cache', ...KEYCLOAK_HEADERS }, body: realm.keys.jwks() }
      case '.well-known/openid-configuration':
        return { status: 200, headers: { ...DISCOVERY_CACHING, ...KEYCLOAK_HEADERS }, body: openidConfiguration(base, realm.name) }
      case '.well-known/uma2-configuration':
        return { status: 200, headers: { ...DISCOVERY_CACHING, ...KEYCLOAK_HEADERS }, body: uma2Configuration(base, realm.name) }
      case 'protocol/openid-connect/revoke':
        return revoke(realm, call)
      case 'protocol/openid-connect/userinfo':
        return userinfo(realm, call)
      case 'authz/protection/permission':
        return permissionTicket(realm, call)
      default:
        return bareError(404, 'Unable to find matching target resource method')
    }
  } catch (error) {
    if (error instanceof OauthRefusal) return error.reply()
    throw error
  }
}

function grant(realm: OauthRealm, call: Call): Reply {
  const form = parseForm(call.headers['content-type'], call.body)
  switch (form.get('grant_type')) {
    case null:
      throw new OauthRefusal(400, 'invalid_request', 'Missing form parameter: grant_type')
    case 'client_credentials':
      return grantClientCredentials(realm, call, form)
    case UMA_GRANT:
      return grantUma(realm, call, form)
    case EXCHANGE_GRANT:
      return grantTokenExchange(realm, call, form)
    default:
      throw new OauthRefusal(400, 'unsupported_grant_type', 'Unsupported grant_type')
  }
}

/** RFC 7009: 200 whatever the token was. */
function revoke(realm: OauthRealm, call: Call): Reply {
  const form = parseForm(call.headers['content-type'], call.body)
  authenticateClient(call, form, { clients: realm.clients, now: realm.now() })
  realm.revoke(form.get('token') ?? '')
  return { status: 200, headers: tokenReply({}).headers }
}

function userinfo(realm: OauthRealm, call: Call): Reply {
  const accepted = realm.accept(bearerOf(call) ?? '', call.host)
  if (accepted !== undefined) {
    const { sub, email_verified, preferred_username } = accepted.claims
    return tokenReply({ sub, email_verified, preferred_username })
  }
  const { 'X-Frame-Options': _frame, ...headers } = tokenReply({}).headers
  return {
    status: 401,
    headers: {
      ...headers,
      'Content-Type': 'text/plain;charset=utf-8',
      'WWW-Authenticate': `Bearer realm="${realm.name}", error="invalid_token", error_description="Token verification failed"`,
    },
  }
}

/** The resource server's own step: it asks for a ticket that a client may then bring. */
function permissionTicket(realm: OauthRealm, call: Call): Reply {
  const accepted = realm.accept(bearerOf(call) ?? '', call.host)
  if (accepted?.client.authorization !== 'resources') return bareError(401, 'HTTP 401 Unauthorized')
  const asked = Object.values(jsonObject(call.body)) as readonly { resource_id?: unknown; resource_scopes?: unknown }[]
  const iat = Math.floor(realm.now() / 1000)
  // What is none of our resources makes a ticket for nothing, which is then refused.
  const permissions = asked.map((each) => ({ rsid: String(each.resource_id), scopes: [each.resource_scopes].flat().map(String) }))
  const ticket = realm.keys.sign({ exp: iat + TICKET_LIFETIME_S, iat, jti: realm.newUuid(), typ: 'permission_ticket', permissions })
  return { status: 201, headers: tokenReply({}).headers, body: { ticket } }
}
