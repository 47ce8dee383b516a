import { createBearerVerifier, createKeySet, isConfidentialUrl } from '@ascribe/identity/jwt'
import type { ClaimMapping } from '@ascribe/identity/jwt'
import { createIssuerCache, createOidcClient } from '@ascribe/identity/oidc'
import type { ServerSecret } from '@ascribe/identity'
import type { Clock, Logger, Meters } from '@ascribe/kit'
import { InputError } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import type { Route } from './handler.ts'
import { createCookieJar } from './login/cookies.ts'
import { loginRoutes, meRoute } from './login/routes.ts'
import { createSessions } from './login/sessions.ts'
import { createPublicCaller } from './public-caller.ts'
import type { PublicCaller } from './public-caller.ts'

/** The identity provider of the customers. */
export type SignInConfig = ClaimMapping & {
  /** `iss`, letter by letter; its configuration is at `/.well-known/openid-configuration` below it. */
  readonly issuer: string
  /** What tokens of programs are for. */
  readonly audience: string | readonly string[]
  /** For people; absent: only programs come, with tokens of their own. */
  readonly client?: SignInClient
}

export type SignInClient = {
  readonly id: string
  /** Absent: a public client. Asked for at each use, so that a file may change. */
  readonly secret?: () => Promise<string>
  /** Where browsers reach the customers' listener, `https://billing.example.com`; https, or http on loopback. Known when a request comes. */
  readonly publicUrl: () => string
  /** Default `openid profile email`. */
  readonly scopes?: string
  /** See `SessionsOptions`. */
  readonly idleMs?: number
  readonly absoluteMs?: number
}

export type SignInDeps = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  readonly meters: Meters
  readonly clock: Clock
}

/** Who a customer's request comes from, and the routes by which people sign in. */
export type SignIn = { readonly caller: PublicCaller; readonly routes: readonly Route[] }

/** Puts together what the customers' listener tells its callers by. Without a configuration: API keys alone. */
export function createSignIn(config: SignInConfig | undefined, deps: SignInDeps): SignIn {
  if (config === undefined) {
    const caller = createPublicCaller(deps)
    return { caller, routes: [meRoute(caller)] }
  }
  const { issuer, audience, client, organizationClaim, roleClaim, roles } = config
  const { logger, meters, clock } = deps
  const mapping: ClaimMapping = {
    ...(organizationClaim !== undefined && { organizationClaim }),
    ...(roleClaim !== undefined && { roleClaim }),
    ...(roles !== undefined && { roles }),
  }
  const metadata = createIssuerCache({ issuer, clock })
  const keys = createKeySet({ name: issuer, jwksUrl: async () => (await metadata()).jwks_uri, logger, meters, clock })
  const bearer = createBearerVerifier({ ...mapping, issuer, audience, keys, clock })
  if (client === undefined) {
    const caller = createPublicCaller({ ...deps, bearer })
    return { caller, routes: [meRoute(caller)] }
  }
  const { id: clientId, secret, publicUrl, scopes, idleMs, absoluteMs } = client
  const oidc = createOidcClient({
    ...mapping,
    issuer,
    metadata,
    keys,
    clientId,
    clock,
    ...(secret !== undefined && { clientSecret: secret }),
    ...(scopes !== undefined && { scopes }),
  })
  const sessions = createSessions({
    ...deps,
    oidc,
    issuer,
    ...(idleMs !== undefined && { idleMs }),
    ...(absoluteMs !== undefined && { absoluteMs }),
  })
  const web = { sessions, jar: lazyJar(publicUrl), publicUrl }
  const caller = createPublicCaller({ ...deps, bearer, web })
  return { caller, routes: [meRoute(caller), ...loginRoutes({ ...web, oidc, caller, serverSecret: deps.serverSecret })] }
}

/** Cookies by an address that is known when the first request comes: a port may be any free one. */
function lazyJar(publicUrl: () => string): ReturnType<typeof createCookieJar> {
  let jar: ReturnType<typeof createCookieJar> | undefined
  const made = (): ReturnType<typeof createCookieJar> => (jar ??= createCookieJar(checkedUrl(publicUrl())))
  return {
    get session() {
      return made().session
    },
    attempt: (state) => made().attempt(state),
    attemptsIn: (rawHeaders) => made().attemptsIn(rawHeaders),
    set: (name, value, options) => made().set(name, value, options),
    clear: (name) => made().clear(name),
  }
}

/** @throws {InputError} when browsers could not keep a session there */
function checkedUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || !isConfidentialUrl(url))
    throw new InputError(`Cannot sign people in at ${JSON.stringify(text)}: it is neither https nor http on loopback`, {
      hint: 'Say where browsers reach the API: https://billing.example.com',
    })
  return text
}
