import type { Form } from './form.ts'
import type { Call } from './http.ts'
import { OauthRefusal } from './keycloak-reply.ts'
import type { RealmClient } from './realm.ts'

const BAD_CREDENTIALS = 'Invalid client or Invalid client credentials'

type Given = { readonly id: string | null; readonly secret: string | null }

/**
 * The client that a token request authenticates as, by HTTP Basic or by form fields.
 * A wrong secret is `unauthorized_client`, an unknown client `invalid_client`: Keycloak's words, not RFC 6749's.
 * @throws {OauthRefusal}
 */
export function authenticateClient(
  call: Call,
  form: Form,
  context: { clients: ReadonlyMap<string, RealmClient>; now: number },
): RealmClient {
  const { id, secret } = givenBy(call, form)
  const client = id === null ? undefined : context.clients.get(id)
  if (client === undefined || !client.enabled) throw new OauthRefusal(401, 'invalid_client', BAD_CREDENTIALS)
  if (client.access === 'bearer-only') throw new OauthRefusal(400, 'invalid_client', 'Bearer-only not allowed')
  if (client.access === 'confidential' && !takesSecret(client, secret, context.now)) {
    throw new OauthRefusal(401, 'unauthorized_client', BAD_CREDENTIALS)
  }
  return client
}

function takesSecret(client: RealmClient, secret: string | null, now: number): boolean {
  if (secret === null) return false
  const { rotatedSecret, secretExpiresAtMs } = client
  if (secret === client.secret) return secretExpiresAtMs === undefined || now < secretExpiresAtMs
  return rotatedSecret !== undefined && secret === rotatedSecret.secret && now < rotatedSecret.untilMs
}

function givenBy(call: Call, form: Form): Given {
  const [, encoded] = /^basic\s+(.+)$/i.exec(call.headers.authorization ?? '') ?? []
  if (encoded === undefined) return { id: form.get('client_id'), secret: form.get('client_secret') }
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return { id: null, secret: null }
  try {
    return { id: formDecode(text.slice(0, colon)), secret: formDecode(text.slice(colon + 1)) }
  } catch {
    // A client that did not form-encode its id and secret (RFC 6749 section 2.3.1) and has a bare `%` in them.
    throw new OauthRefusal(400, 'unauthorized_client', 'Unexpected error when authenticating client')
  }
}

const formDecode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
