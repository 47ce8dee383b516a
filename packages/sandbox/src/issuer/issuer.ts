import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { InputError } from '@ascribe/kit'
import { listenOn, urlOf } from '@ascribe/service'
import { KeyRing } from '../jwt/key-ring.ts'
import { RsaKey, readClaims } from '../jwt/rsa-key.ts'
import { readBody } from '../read-body.ts'
import { authorize, login } from './authorize.ts'
import { serveControl } from './control.ts'
import { endSession, tellClients } from './end-session.ts'
import { type IssuerUser, sandboxClients, sandboxUsers } from './people.ts'
import { IssuerSessions } from './sessions.ts'
import { answerToken } from './token-endpoint.ts'
import { accessClaims, userClaims } from './tokens.ts'
import type { IssuerContext, IssuerControls, IssuerOptions, SandboxIssuer } from './types.ts'

type Call = { readonly request: IncomingMessage; readonly response: ServerResponse }

const ACCESS_TTL_S = 300

/**
 * Starts a small OpenID Connect issuer on loopback: discovery, authorization code with PKCE, refresh, userinfo, logout. It asks for no
 * passwords. What it answers is pinned to Keycloak's answers by a suite that runs on both.
 */
export async function startIssuer(options: IssuerOptions = {}): Promise<SandboxIssuer> {
  const keys = await KeyRing.create()
  const { audience = 'ascribe', accessTtlS = ACCESS_TTL_S, clock: now = Date.now } = options
  const [users, clients] = [options.users ?? sandboxUsers(), [...(options.clients ?? sandboxClients())]]
  const sessions = new IssuerSessions(now)
  let context: IssuerContext | undefined
  const server = createServer((request, response) => {
    if (context === undefined) response.writeHead(503).end()
    else void serve(context, issuer, { request, response })
  })
  const bound = await listenOn(server, { host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  const base = { issuer: urlOf(bound), audience, accessTtlS, users, clients, keys, sessions, now }
  const served: IssuerContext = {
    ...base,
    async end(session) {
      sessions.end(session)
      await tellClients(served, session)
    },
  }
  context = served
  const issuer = controls(served)
  return Object.assign(issuer, {
    async [Symbol.asyncDispose](): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      await promise
    },
  })
}

function controls(context: IssuerContext): IssuerControls {
  const { issuer, keys, clients, sessions, users } = context
  /** Signs forgeries: no JWKS lists it. */
  let foreign: RsaKey | undefined
  const userOf = (username: string): IssuerUser => {
    const user = users.find((each) => each.username === username)
    if (user === undefined)
      throw new InputError(`Cannot find the user ${username}: there is ${users.map((each) => each.username).join(', ')}`)
    return user
  }
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    audience: context.audience,
    setOrganizations(username, organizations) {
      userOf(username).organizations = organizations
    },
    putClient(client) {
      const at = clients.findIndex(({ id }) => id === client.id)
      clients.splice(at < 0 ? clients.length : at, 1, client)
    },
    userToken(username, { ttlS = context.accessTtlS, audience = context.audience, faults = {} } = {}) {
      const iat = Math.floor(context.now() / 1000)
      const facts = {
        issuer,
        audience,
        clientId: 'ascribe-program',
        user: userOf(username),
        sessionId: 'program',
        scope: 'openid',
        iat,
        ttlS,
      }
      const claims = accessClaims(facts, faults)
      return faults.wrongKey === true
        ? (foreign ??= RsaKey.createSync()).sign(claims, { header: { kid: keys.jwks[0]?.['kid'] } })
        : keys.sign(claims)
    },
    rotateKeys: () => keys.rotate(),
    dropOldKeys: () => keys.dropOld(),
    async endSessions(username) {
      const user = userOf(username)
      for (const session of sessions.all()) if (session.user === user) await context.end(session)
    },
  }
}

async function serve(context: IssuerContext, issuer: IssuerControls, call: Call): Promise<void> {
  const { request, response } = call
  const [path = ''] = (request.url ?? '').split('?', 1)
  try {
    switch (`${request.method} ${path}`) {
      case 'GET /.well-known/openid-configuration':
        return sendJson(response, 200, discovery(context.issuer))
      case 'GET /jwks':
        return sendJson(response, 200, { keys: context.keys.jwks })
      case 'GET /authorize':
        return authorize(context, call)
      case 'POST /login':
        return await login(context, call)
      case 'POST /token': {
        const { status, body } = answerToken(context, request, new URLSearchParams((await readBody(request)).toString()))
        return sendJson(response, status, body)
      }
      case 'GET /userinfo':
        return userinfo(context, call)
      case 'GET /logout':
      case 'POST /logout':
        return await endSession(context, call)
      default:
        if (!(await serveControl(issuer, call))) sendJson(response, 404, { error: 'not_found' })
    }
  } catch (error) {
    if (response.headersSent) response.destroy()
    else sendJson(response, error instanceof InputError ? 400 : 500, { error: String(error) })
  }
}

function userinfo({ sessions, keys, now }: IssuerContext, { request, response }: Call): void {
  const [, token = ''] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? []
  const claims = keys.isOurs(token) ? readClaims(token) : undefined
  const session = claims === undefined || Number(claims['exp']) * 1000 <= now() ? undefined : sessions.byId(claims['sid'])
  if (claims !== undefined && session !== undefined) return sendJson(response, 200, { sub: claims['sub'], ...userClaims(session.user) })
  response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token", error_description="Token verification failed"')
  sendJson(response, 401, { error: 'invalid_token', error_description: 'Token verification failed' })
}

function discovery(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    end_session_endpoint: `${issuer}/logout`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['openid', 'profile', 'email'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'name', 'email', 'organization_id', 'ascribe_role'],
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(value))
}
