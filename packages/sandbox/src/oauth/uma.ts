import { assertServiceAccount } from './client-credentials.ts'
import { authenticateClient } from './authenticate-client.ts'
import type { Form } from './form.ts'
import { type Call, type Reply, bearerOf } from './http.ts'
import { OauthRefusal, bareError, tokenReply } from './keycloak-reply.ts'
import type { OauthRealm } from './oauth-realm.ts'
import { RESOURCE_SERVER, type RealmClient, type RealmResource } from './realm.ts'
import { type Permission, rptClaims } from './token-claims.ts'

/** A permission as it is asked for: resources, and the scopes wanted on each (none named: all of them). */
type Wish = { readonly resource: RealmResource; readonly scopes: readonly string[] }

/** Step 2: the grant `uma-ticket`, for a service account, with or without a permission ticket. @throws {OauthRefusal} */
export function grantUma(realm: OauthRealm, call: Call, form: Form): Reply {
  const bearer = bearerOf(call)
  if (bearer === '') return { ...bareError(401, 'HTTP 401 Unauthorized'), headers: tokenReply({}).headers }
  const client = bearer === undefined ? clientOf(realm, call, form) : bearerClient(realm, bearer, call.host)
  const ticket = ticketOf(realm, form)
  const audience = ticket === undefined ? audienceOf(realm, form) : RESOURCE_SERVER
  const limit = limitOf(form)
  const isUpgrade = checkRpt(realm, form, call.host)
  const wishes = ticket?.wishes ?? wishesOf(realm, form)
  const permissions = granted(wishes.slice(0, limit), client)
  if (permissions.length === 0) {
    const isSubmitted = ticket !== undefined && form.get('submit_request') !== 'false'
    throw new OauthRefusal(403, 'access_denied', isSubmitted ? 'request_submitted' : 'not_authorized')
  }
  return reply(realm, { call, form, client, audience, permissions, isUpgrade })
}

function bearerClient(realm: OauthRealm, token: string, host: string): RealmClient {
  const accepted = realm.accept(token, host)
  // Keycloak says the same for every cause: expired, revoked, garbage, foreign, user or client disabled.
  if (accepted === undefined) throw new OauthRefusal(400, 'invalid_grant', 'Invalid bearer token')
  return accepted.client
}

function clientOf(realm: OauthRealm, call: Call, form: Form): RealmClient {
  const client = authenticateClient(call, form, { clients: realm.clients, now: realm.now() })
  const subjectToken = form.get('subject_token')
  if (subjectToken !== null && realm.accept(subjectToken, call.host) === undefined)
    throw new OauthRefusal(400, 'unauthorized_client', 'Invalid identity')
  assertServiceAccount(client)
  return client
}

function audienceOf(realm: OauthRealm, form: Form): string {
  const audience = form.get('audience')
  if (audience === null) throw new OauthRefusal(400, 'invalid_request', 'You must provide the issuedFor')
  const server = realm.clients.get(audience)
  if (server === undefined) throw new OauthRefusal(400, 'invalid_request', `Unknown resource server id: [${audience}]`)
  if (server.authorization === 'none') throw new OauthRefusal(400, 'invalid_request', 'Client does not support permissions')
  if (server.authorization === 'crashing') throw new OauthRefusal(500, 'server_error', 'Unexpected error while evaluating permissions')
  return audience
}

function ticketOf(realm: OauthRealm, form: Form): { readonly wishes: readonly Wish[] } | undefined {
  const ticket = form.get('ticket')
  if (ticket === null) return undefined
  const claims = realm.keys.verify(ticket)
  if (claims === undefined || claims['typ'] !== 'permission_ticket' || Number(claims['exp']) <= realm.now() / 1000)
    throw new OauthRefusal(403, 'invalid_ticket', 'Ticket verification failed')
  const { permissions } = claims as { permissions?: readonly { rsid: string; scopes: readonly string[] }[] }
  const wishes = (permissions ?? []).flatMap(({ rsid, scopes }) =>
    realm.resources.filter((resource) => resource.rsid === rsid).map((resource) => ({ resource, scopes })),
  )
  return { wishes }
}

/** Whether a valid RPT came with the request: its permissions are then extended. */
function checkRpt(realm: OauthRealm, form: Form, host: string): boolean {
  const rpt = form.get('rpt')
  if (rpt === null) return false
  if (realm.accept(rpt, host) === undefined) throw new OauthRefusal(403, 'invalid_rpt', 'RPT signature is invalid')
  return true
}

function limitOf(form: Form): number | undefined {
  const limit = form.get('response_permissions_limit')
  if (limit === null) return undefined
  if (!/^\d+$/.test(limit)) throw new OauthRefusal(500, 'unknown_error', 'For more on this error consult the server log.')
  return Number(limit)
}

function wishesOf(realm: OauthRealm, form: Form): readonly Wish[] {
  const asked = form.getAll('permission')
  if (asked.length === 0) return realm.resources.map((resource) => ({ resource, scopes: resource.scopes }))
  const byUri = form.get('permission_resource_format') === 'uri'
  return asked.map((permission) => wishOf(realm, permission, byUri))
}

function wishOf(realm: OauthRealm, permission: string, byUri: boolean): Wish {
  const [name = '', list = ''] = permission.split('#', 2)
  const scopes = list.split(',').filter((each) => each !== '')
  const known = new Set(realm.resources.flatMap((each) => each.scopes))
  const unknown = scopes.filter((each) => !known.has(each))
  const resource = realm.resources.find((each) => (byUri ? each.uri === name : each.name === name || each.rsid === name))
  const missing = new OauthRefusal(400, 'invalid_resource', `Resource with id [${name}] does not exist.`)
  if (resource === undefined) throw missing
  if (unknown.length > 0) throw new OauthRefusal(400, 'invalid_scope', `One of the given scopes [${scopes.join(', ')}] is invalid`)
  // A scope of another resource: Keycloak then finds no resource with that scope, and says so.
  if (scopes.some((each) => !resource.scopes.includes(each))) throw missing
  return { resource, scopes: scopes.length === 0 ? resource.scopes : scopes }
}

function granted(wishes: readonly Wish[], client: RealmClient): readonly Permission[] {
  return wishes
    .filter(({ resource }) => resource.grantedTo.includes(client.id))
    .map(({ resource, scopes }) => ({ scopes, rsid: resource.rsid, rsname: resource.name }))
}

type Granted = {
  readonly call: Call
  readonly form: Form
  readonly client: RealmClient
  readonly audience: string
  readonly permissions: readonly Permission[]
  readonly isUpgrade: boolean
}

function reply(realm: OauthRealm, { call, form, client, audience, permissions, isUpgrade }: Granted): Reply {
  const shown =
    form.get('response_include_resource_name') === 'false' ? permissions.map(({ scopes, rsid }) => ({ scopes, rsid })) : permissions
  switch (form.get('response_mode')) {
    case null:
      break
    case 'decision':
      return tokenReply({ result: true })
    case 'permissions':
      return tokenReply(shown)
    default:
      throw new OauthRefusal(400, 'invalid_request', 'Invalid response_mode')
  }
  const iat = Math.floor(realm.now() / 1000)
  const lifetimeS = realm.lifetimeS('rpt', client)
  const facts = {
    realm: realm.name,
    issuer: realm.issuerAt(call.host),
    client,
    subject: realm.subjectOf(client),
    jti: realm.newUuid(),
    iat,
    exp: iat + lifetimeS,
  }
  return tokenReply({
    upgraded: isUpgrade,
    access_token: realm.keys.sign(rptClaims(facts, { audience, permissions: shown })),
    expires_in: lifetimeS,
    refresh_expires_in: 0,
    token_type: 'Bearer',
    'not-before-policy': realm.notBefore,
  })
}
