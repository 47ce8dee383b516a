import { bearerToken, publicIdOf } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { IssuerError } from '@ascribe/identity/jwt'
import type { BearerVerifier, Principal } from '@ascribe/identity/jwt'
import { decideOrigin, decideOwnOrigin } from '@ascribe/identity/view-as'
import type { Logger, Meters } from '@ascribe/kit'
import { readUserOrganizations } from '@ascribe/ledger/sessions'
import type { UserOrganization } from '@ascribe/ledger/sessions'
import type { Database } from '@ascribe/postgres'
import { authenticate } from './authenticate.ts'
import { Refusal } from './errors.ts'
import type { Caller } from './handler.ts'
import { cookieValues } from './login/cookies.ts'
import type { CookieJar } from './login/cookies.ts'
import type { LiveSession, Sessions } from './login/sessions.ts'

/** What is looked at to tell who asks. */
export type CallerRequest = {
  readonly method: string
  /** Names and values as they came: a repeated one is seen. */
  readonly rawHeaders: readonly string[]
}

export type PublicCallerDeps = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  readonly meters: Meters
  /** Absent: no identity provider's tokens are taken. */
  readonly bearer?: BearerVerifier
  /** Absent: nobody signs in here. */
  readonly web?: WebSide
}

/** The console's way in. */
export type WebSide = {
  readonly sessions: Sessions
  readonly jar: CookieJar
  /** Where browsers reach us; one that is known when a request comes. */
  readonly publicUrl: () => string
}

/** A user, with everything that he may choose from. */
export type Person = {
  readonly principal: Principal
  readonly organizations: readonly UserOrganization[]
  readonly via: 'bearer' | 'cookie'
  /** Of a cookie. */
  readonly session?: LiveSession
}

export type PublicCaller = {
  /**
   * Who asks, by exactly one of API key, bearer token and session cookie. `wanted`: the organization that the path names, for users who
   * belong to several. @throws {Refusal}
   */
  identify(request: CallerRequest, wanted?: string): Promise<Caller>
  /** The same, with a user's whole choice. @throws {Refusal} */
  whoIs(request: CallerRequest): Promise<Extract<Caller, { kind: 'key' }> | Person>
}

/** By which a program says for which of its organizations it asks. */
const ORGANIZATION_HEADER = 'X-Ascribe-Organization'

/** Tells who a customer's request comes from. */
export function createPublicCaller(deps: PublicCallerDeps): PublicCaller {
  const refusals = deps.meters.counter(
    'ascribe_api_token_refusals_total',
    'Bearer tokens that were refused, by the check that they failed.',
  )

  async function whoIs(request: CallerRequest): Promise<Extract<Caller, { kind: 'key' }> | Person> {
    const authorizations = headerValues(request.rawHeaders, 'authorization')
    const cookies = deps.web === undefined ? [] : cookieValues(request.rawHeaders, deps.web.jar.session)
    if (authorizations.length + cookies.length > 1) {
      throw new Refusal('invalid_request', 'The request brings two identities. Send one: an API key, a token, or the cookie of a session.')
    }
    const [authorization] = authorizations
    const [cookie] = cookies
    if (cookie !== undefined && deps.web !== undefined) return byCookie(deps, deps.web, { request, cookie })
    const token = bearerToken(authorization)
    if (token === undefined || publicIdOf(token) !== undefined || deps.bearer === undefined) return authenticate(deps, authorization)
    return byToken(deps.bearer, token)
  }

  async function byToken(bearer: BearerVerifier, token: string): Promise<Person> {
    const outcome = await bearer.verify(token)
    switch (outcome.kind) {
      case 'verified':
        return { principal: outcome.principal, organizations: await organizationsOf(deps.db, outcome.principal), via: 'bearer' }
      case 'refused':
        refusals.add(1, { check: outcome.check })
        deps.logger.info('bearer token refused', { check: outcome.check, detail: outcome.detail })
        // One word, whatever is wrong: who forges tokens learns nothing.
        throw new Refusal('unauthenticated', 'The token is not valid here.')
      case 'unavailable':
        deps.logger.warn('bearer token cannot be verified', { error: outcome.cause })
        throw new Refusal('unavailable', 'Tokens cannot be verified now. Try again soon.', { headers: { 'retry-after': '5' } })
    }
  }

  return {
    whoIs,
    async identify(request, wanted) {
      const who = await whoIs(request)
      const [named, ...others] = headerValues(request.rawHeaders, ORGANIZATION_HEADER.toLowerCase())
      if (others.length > 0) throw new Refusal('invalid_request', `${ORGANIZATION_HEADER} comes more than once. Send it once.`)
      if (!('kind' in who)) return callerOf(who, { wanted, named })
      // A request that says it is about B is not answered about A.
      if (named !== undefined && named.toLowerCase() !== who.organizationId) throw noSuchOrganization()
      return who
    },
  }
}

type CookieRequest = { readonly request: CallerRequest; readonly cookie: string }

async function byCookie(deps: PublicCallerDeps, web: WebSide, { request, cookie }: CookieRequest): Promise<Person> {
  checkOrigin(request, new URL(web.publicUrl()).origin)
  const session = await findSession(web.sessions, cookie)
  if (session === undefined) throw new Refusal('unauthenticated', 'The session is over. Sign in again.')
  const { principal } = session.signedIn
  return { principal, organizations: await organizationsOf(deps.db, principal), via: 'cookie', session }
}

async function findSession(sessions: Sessions, cookie: string): Promise<LiveSession | undefined> {
  try {
    return await sessions.find(cookie)
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    throw new Refusal('issuer_unavailable', 'The identity provider cannot be asked now. Try again soon.', { cause: error })
  }
}

/** A browser sends the cookie by itself, whoever makes it ask: so what a page of another site asks is refused before anything is looked up. */
function checkOrigin({ method, rawHeaders }: CallerRequest, origin: string): void {
  const isRead = method === 'GET' || method === 'HEAD'
  const decision = isRead
    ? decideOrigin({ route: 'navigation', rawHeaders, patterns: [{ text: origin, head: origin, tail: undefined }] })
    : decideOwnOrigin({ rawHeaders, ownOrigins: [origin] })
  if (decision.kind === 'refused') throw new Refusal('origin_refused', decision.message)
}

/** Those that the token vouches for; when it says nothing of organizations, those of the directory. */
async function organizationsOf(db: Database, { subject, organizations }: Principal): Promise<readonly UserOrganization[]> {
  return readUserOrganizations(db, { userId: subject, ...(organizations.length > 0 && { ids: organizations }) })
}

type Choice = { readonly wanted: string | undefined; readonly named: string | undefined }

function callerOf(person: Person, choice: Choice): Caller {
  const { principal, via } = person
  const organization = chosenOf(person, choice)
  const role = roleIn(person, organization)
  if (role === undefined) throw new Refusal('insufficient_role', 'The user has no role here.')
  const { subject, name, email, evidence } = principal
  return {
    kind: 'user',
    subject,
    organizationId: organization.id,
    role,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(evidence !== undefined && { evidence }),
    via,
  }
}

/** What the token says of the role goes before what the directory says; who is a member and nothing else may read. */
export function roleIn({ principal }: Pick<Person, 'principal'>, organization: UserOrganization): 'admin' | 'viewer' | undefined {
  if (principal.role === 'none') return undefined
  return principal.role ?? organization.role ?? 'viewer'
}

function chosenOf({ organizations, session, via }: Person, { wanted, named }: Choice): UserOrganization {
  const find = (id: string | undefined): UserOrganization | undefined => organizations.find((each) => each.id === id?.toLowerCase())
  if (organizations.length === 0) throw new Refusal('insufficient_role', 'The user is a member of no organization here.')
  if (named !== undefined) {
    const found = find(named)
    if (found === undefined) throw noSuchOrganization()
    return found
  }
  const only = organizations.length === 1 ? organizations[0] : undefined
  const chosen = find(wanted) ?? only ?? find(session?.organizationId)
  if (chosen !== undefined) return chosen
  const how = via === 'cookie' ? 'Choose one: POST /v1/me/organization.' : `Name one: ${ORGANIZATION_HEADER}.`
  throw new Refusal('organization_required', `The user is a member of several organizations. ${how}`)
}

function noSuchOrganization(): Refusal {
  return new Refusal('organization_not_found', 'There is no such organization.')
}

function headerValues(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}
