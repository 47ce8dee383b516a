import { authenticateClient } from './authenticate-client.ts'
import { scopeOf } from './client-credentials.ts'
import { type Form, hasDuplicate } from './form.ts'
import type { Call, Reply } from './http.ts'
import { OauthRefusal, tokenReply } from './keycloak-reply.ts'
import type { OauthRealm } from './oauth-realm.ts'
import type { RealmClient } from './realm.ts'
import type { Claims } from './signing-keys.ts'
import { exchangedClaims } from './token-claims.ts'

const TYPES = 'urn:ietf:params:oauth:token-type:'
const ACCESS_TOKEN = `${TYPES}access_token`
const ID_TOKEN = `${TYPES}id_token`

/**
 * Keycloak's standard token exchange (RFC 8693), internal to internal: a client that is in a token's audience gets one of its
 * own for the same subject. It cannot impersonate: `requested_subject` is refused, `actor_token` and `resource` are ignored.
 * @throws {OauthRefusal}
 */
export function grantTokenExchange(realm: OauthRealm, call: Call, form: Form): Reply {
  const client = authenticateClient(call, form, { clients: realm.clients, now: realm.now() })
  if (hasDuplicate(form, new Set(['audience', 'resource']))) throw invalid('duplicated parameter')
  if (!client.tokenExchange) throw invalid('Standard token exchange is not enabled for the requested client')
  const subject = subjectOf(realm, call, form)
  const audience = [subject['aud']].flat()
  if (subject['azp'] !== client.id && !audience.includes(client.id))
    throw new OauthRefusal(403, 'access_denied', 'Client is not within the token audience')
  const type = form.get('requested_token_type') ?? ACCESS_TOKEN
  if (type !== ACCESS_TOKEN && type !== ID_TOKEN) throw invalid('requested_token_type unsupported')
  for (const wanted of form.getAll('audience')) assertAudience(realm, wanted)
  return tokenReply(exchanged(realm, { call, client, subject, type, scope: scopeOf(form) }))
}

const invalid = (description: string): OauthRefusal => new OauthRefusal(400, 'invalid_request', description)

function subjectOf(realm: OauthRealm, call: Call, form: Form): Claims {
  if (form.has('requested_subject')) throw invalid("Parameter 'requested_subject' is not supported for standard token exchange")
  const token = form.get('subject_token')
  if (token === null) throw invalid("Parameter 'subject_token' required for standard token exchange")
  if (form.get('subject_token_type') !== ACCESS_TOKEN) throw invalid("Parameter 'subject_token' supports access tokens only")
  const accepted = realm.accept(token, call.host)
  if (accepted === undefined) throw invalid('Invalid token')
  return accepted.claims
}

/** No client of this realm may be had as an audience: that would need a scope which puts it there. */
function assertAudience(realm: OauthRealm, wanted: string): never {
  if (!realm.clients.has(wanted)) throw new OauthRefusal(400, 'invalid_client', 'Audience not found')
  throw invalid(`Requested audience not available: ${wanted}`)
}

type Exchange = {
  readonly call: Call
  readonly client: RealmClient
  readonly subject: Claims
  readonly type: string
  readonly scope: string
}

function exchanged(realm: OauthRealm, { call, client, subject, type, scope }: Exchange): Readonly<Record<string, unknown>> {
  const iat = Math.floor(realm.now() / 1000)
  const lifetimeS = realm.lifetimeS('service-token', client)
  const facts = {
    realm: realm.name,
    issuer: realm.issuerAt(call.host),
    client,
    subject: String(subject['sub']),
    jti: realm.newUuid(),
    iat,
    exp: iat + lifetimeS,
  }
  const claims = exchangedClaims(facts, { scope, userName: String(subject['preferred_username']) })
  return {
    access_token: realm.keys.sign(type === ID_TOKEN ? { ...claims, typ: 'ID' } : claims),
    expires_in: lifetimeS,
    refresh_expires_in: 0,
    token_type: type === ID_TOKEN ? 'N_A' : 'Bearer',
    'not-before-policy': realm.notBefore,
    scope,
    issued_token_type: type,
  }
}
