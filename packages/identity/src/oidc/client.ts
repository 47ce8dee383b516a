import * as oauth from 'oauth4webapi'
import { systemClock } from '@ascribe/kit'
import { IssuerError } from '../errors.ts'
import type { IssuerMetadata } from '../jwt/discovery.ts'
import { refusal } from '../jwt/verify-jwt.ts'
import { isConfidentialUrl } from '../loopback-url.ts'
import { outboundFetch } from '../outbound-fetch.ts'
import { asking } from './asking.ts'
import { SKEW_MS, readTokens, verified, verifyOptionsOf } from './read-tokens.ts'
import type {
  LoginOutcome,
  LoginSecrets,
  LogoutOutcome,
  OidcClient,
  OidcClientOptions,
  RefreshOutcome,
  RefreshableSignIn,
} from './types.ts'

const SCOPES = 'openid profile email'
const TIMEOUT_MS = 10_000
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const LOGOUT_AGE_MS_MAX = 10 * 60_000

/** What is secret of a sign-in that begins. */
export function newLoginSecrets(): LoginSecrets {
  return { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), codeVerifier: oauth.generateRandomCodeVerifier() }
}

/** The code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0), as our side of it. Keeps no state of its own. */
export function createOidcClient(options: OidcClientOptions): OidcClient {
  return {
    authorizationUrl: (secrets, redirectUri) => authorizationUrl(options, { secrets, redirectUri }),
    exchange: (callback, given) => asking(options.issuer, () => exchange(options, { ...given, callback })),
    refresh: (before) => refresh(options, before),
    endSessionUrl: (idToken, returnTo) => endSessionUrl(options, { idToken, returnTo }),
    readLogout: (token) => readLogout(options, token),
  }
}

async function authorizationUrl(options: OidcClientOptions, { secrets, redirectUri }: Given): Promise<URL> {
  const { state, nonce, codeVerifier } = secrets
  const { metadata, issuer, clientId, scopes = SCOPES } = options
  const { authorization_endpoint: endpoint } = serverOf(await metadata())
  const url = endpointUrl(endpoint, { name: 'authorization_endpoint', issuer })
  const parameters = {
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: scopes,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

type Given = { readonly secrets: LoginSecrets; readonly redirectUri: string }

async function exchange(
  options: OidcClientOptions,
  { callback, secrets, redirectUri }: Given & { readonly callback: URLSearchParams },
): Promise<LoginOutcome> {
  const { as, client, authentication, request } = await partiesOf(options)
  const validated = oauth.validateAuthResponse(as, client, callback, secrets.state)
  const reply = await oauth.authorizationCodeGrantRequest(as, client, authentication, validated, redirectUri, secrets.codeVerifier, request)
  const checks = { expectedNonce: secrets.nonce, requireIdToken: true }
  return readTokens(options, await oauth.processAuthorizationCodeResponse(as, client, reply, checks))
}

async function refresh(options: OidcClientOptions, before: RefreshableSignIn): Promise<RefreshOutcome> {
  const outcome = await asking(options.issuer, async () => {
    const { as, client, authentication, request } = await partiesOf(options)
    const reply = await oauth.refreshTokenGrantRequest(as, client, authentication, before.refreshToken, request)
    return readTokens(options, await oauth.processRefreshTokenResponse(as, client, reply), before)
  })
  switch (outcome.kind) {
    case 'denied':
      // Of all that it may refuse, this alone is about the user. Whatever is wrong with us must not sign everybody out.
      if (outcome.error === 'invalid_grant') return { kind: 'ended', reason: outcome.error }
      throw new IssuerError(`Cannot refresh tokens at ${options.issuer}: it answers ${outcome.error}`, { retryable: true })
    case 'refused':
      return { kind: 'ended', reason: `${outcome.check}: ${outcome.detail}` }
    case 'signed_in': {
      const { signedIn } = outcome
      if (signedIn.principal.subject !== before.principal.subject) return { kind: 'ended', reason: 'the tokens are of another user' }
      return { kind: 'refreshed', signedIn }
    }
  }
}

async function endSessionUrl(
  { metadata, issuer, clientId }: OidcClientOptions,
  { idToken, returnTo }: { readonly idToken: string; readonly returnTo: string },
): Promise<URL | undefined> {
  const { end_session_endpoint: endpoint } = serverOf(await metadata())
  if (endpoint === undefined) return undefined
  const url = endpointUrl(endpoint, { name: 'end_session_endpoint', issuer })
  url.searchParams.set('id_token_hint', idToken)
  url.searchParams.set('client_id', clientId)
  url.searchParams.set('post_logout_redirect_uri', returnTo)
  return url
}

async function readLogout(options: OidcClientOptions, token: string): Promise<LogoutOutcome> {
  const checks = { ...verifyOptionsOf(options), types: ['jwt', 'logout+jwt'], isSubjectOptional: true }
  const outcome = await verified(token, checks)
  if (outcome.kind !== 'verified') return outcome
  const { events, nonce, sid, sub, iat } = outcome.claims
  const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, LOGOUT_EVENT)
  // A nonce is how an ID token looks that somebody passes off as one.
  if (!isLogout || nonce !== undefined) return refusal('type', 'it is no logout token')
  const now = (options.clock ?? systemClock)()
  if (iat === undefined || iat * 1000 < now - LOGOUT_AGE_MS_MAX) return refusal('expired', 'it is too old')
  const issuerSession = typeof sid === 'string' ? sid : undefined
  if (issuerSession === undefined && sub === '') return refusal('subject', 'it names neither user nor session')
  return { kind: 'logout', ...(sub !== '' && { subject: sub }), ...(issuerSession !== undefined && { issuerSession }) }
}

type Parties = {
  readonly as: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly authentication: oauth.ClientAuth
  readonly request: oauth.TokenEndpointRequestOptions
}

async function partiesOf({ metadata, clientId, clientSecret, fetch = outboundFetch }: OidcClientOptions): Promise<Parties> {
  const as = serverOf(await metadata())
  return {
    as,
    client: { client_id: clientId, [oauth.clockTolerance]: SKEW_MS / 1000 },
    authentication: clientSecret === undefined ? oauth.None() : authenticationOf(as, await clientSecret()),
    request: {
      [oauth.customFetch]: (url, { body, method, headers, signal }) =>
        fetch(url, { method, headers, body, ...(signal !== undefined && { signal }) }),
      // Plain http passes the library's check, and is then refused by outboundFetch() unless it stays on this machine.
      [oauth.allowInsecureRequests]: true,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
  }
}

function authenticationOf(
  { token_endpoint_auth_methods_supported: methods = [] }: oauth.AuthorizationServer,
  secret: string,
): oauth.ClientAuth {
  const isPostOnly = methods.includes('client_secret_post') && !methods.includes('client_secret_basic')
  return isPostOnly ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret)
}

/** The library reads the members that it needs, and checks each where it does. */
function serverOf(metadata: IssuerMetadata): oauth.AuthorizationServer {
  return metadata as oauth.AuthorizationServer
}

function endpointUrl(endpoint: string | undefined, { name, issuer }: { readonly name: string; readonly issuer: string }): URL {
  const url = endpoint === undefined ? null : URL.parse(endpoint)
  if (url === null || !isConfidentialUrl(url)) throw new IssuerError(`Cannot use the issuer ${issuer}: it has no ${name} of https`)
  return url
}
