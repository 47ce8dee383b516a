import { backchannelLogout, chooseMyOrganization, getMe, login, loginCallback, logout } from '@ascribe/contract/login'
import type { Me } from '@ascribe/contract/login'
import type { ServerSecret } from '@ascribe/identity'
import { IssuerError } from '@ascribe/identity/jwt'
import { newLoginSecrets } from '@ascribe/identity/oidc'
import type { LoginOutcome, OidcClient } from '@ascribe/identity/oidc'
import { decideOrigin, decideOwnOrigin } from '@ascribe/identity/view-as'
import { readUserOrganizations } from '@ascribe/ledger/sessions'
import { formatInstant } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, route } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import { roleIn } from '../public-caller.ts'
import type { Person, PublicCaller, WebSide } from '../public-caller.ts'
import { ATTEMPTS_MAX, ATTEMPT_MS, openAttempt, sealAttempt } from './attempt.ts'
import type { LoginAttempt } from './attempt.ts'
import { cookieValues } from './cookies.ts'
import { DEFAULT_RETURN_TO, checkReturnTo } from './return-to.ts'

export type LoginDeps = WebSide & {
  readonly oidc: OidcClient
  readonly serverSecret: ServerSecret
  readonly caller: PublicCaller
}

/** Rows of the table by which people sign in, and out. */
export function loginRoutes(deps: LoginDeps): readonly Route[] {
  return [
    route(login, (context, { query }) => begin(deps, context, query)),
    route(loginCallback, (context, { query }) => finish(deps, context, query)),
    route(logout, (context) => end(deps, context)),
    route(backchannelLogout, (context, { body }) => endElsewhere(deps, context, body.logout_token)),
    route(chooseMyOrganization, (context, { body }) => choose(deps, context, body.organization)),
  ]
}

/** Who asks: of every installation, with people who sign in or without. */
export function meRoute(caller: PublicCaller): Route {
  return route(getMe, async ({ rawHeaders }) => meOf(await caller.whoIs({ method: 'GET', rawHeaders })))
}

/** RFC 6749 section 4.1.2, RFC 9207. */
const CALLBACK_PARAMETERS: ReadonlySet<string> = new Set(['code', 'state', 'iss', 'error', 'error_description'])

const redirectUriOf = (publicUrl: string): string => new URL('/login/callback', publicUrl).href

async function begin(
  deps: LoginDeps,
  { clock, rawHeaders }: RequestContext,
  { returnTo, organization }: { readonly returnTo?: string | undefined; readonly organization?: string | undefined },
): Promise<PlainReply> {
  const { oidc, jar, serverSecret } = deps
  const publicUrl = deps.publicUrl()
  const { origin } = new URL(publicUrl)
  // Whatever else a page may load of us, it does not begin a sign-in.
  const decision = decideOrigin({ route: 'navigation', rawHeaders, patterns: [{ text: origin, head: origin, tail: undefined }] })
  if (decision.kind === 'refused') throw new Refusal('origin_refused', 'Open this address in a browser.')
  const path = returnTo === undefined ? DEFAULT_RETURN_TO : checkReturnTo(returnTo, origin)
  if (path === undefined) throw new Refusal('redirect_refused', 'The parameter "returnTo" is no path of ours.')
  const secrets = newLoginSecrets()
  const attempt: LoginAttempt = {
    secrets,
    returnTo: path,
    ...(organization !== undefined && { organizationId: organization.toLowerCase() }),
    endsAt: clock() + ATTEMPT_MS,
  }
  const url = await asking(() => oidc.authorizationUrl(secrets, redirectUriOf(publicUrl)))
  const cookie = jar.set(jar.attempt(secrets.state), sealAttempt(serverSecret, attempt), { maxAgeMs: ATTEMPT_MS })
  const others = jar.attemptsIn(rawHeaders)
  const cleared = others.length < ATTEMPTS_MAX ? [] : others.map((name) => jar.clear(name))
  return new PlainReply({ status: 302, headers: { location: url.href, 'referrer-policy': 'no-referrer' }, cookies: [...cleared, cookie] })
}

async function finish(
  deps: LoginDeps,
  context: RequestContext,
  query: Readonly<Record<string, string | readonly string[]>>,
): Promise<PlainReply> {
  const { oidc, jar, sessions } = deps
  const callback = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== 'string') throw new Refusal('invalid_request', `Cannot use the query: ${name} comes more than once.`)
    // Providers add their own; some names would make the library expect another kind of answer.
    if (CALLBACK_PARAMETERS.has(name)) callback.set(name, value)
  }
  const state = callback.get('state') ?? ''
  const attempt = attemptOf(deps, context, state)
  const redirectUri = redirectUriOf(deps.publicUrl())
  const outcome = await asking(() => oidc.exchange(callback, { secrets: attempt.secrets, redirectUri }))
  if (outcome.kind !== 'signed_in') throw refusedSignIn(context, outcome)
  const { signedIn } = outcome
  const { subject, organizations: ids } = signedIn.principal
  const organizations = await readUserOrganizations(context.db, { userId: subject, ...(ids.length > 0 && { ids }) })
  const person: Person = { principal: signedIn.principal, organizations, via: 'cookie' }
  const [only, ...others] = organizations
  if (only === undefined || roleIn(person, only) === undefined)
    throw new Refusal('insufficient_role', 'You are signed in, but you are a member of no organization here.')
  const chosen = organizations.find(({ id }) => id === attempt.organizationId) ?? (others.length === 0 ? only : undefined)
  // Whatever session this browser had is over: nobody can have given it one to keep.
  for (const before of cookieValues(context.rawHeaders, jar.session)) await sessions.end(before)
  const value = await sessions.begin(signedIn, chosen?.id)
  context.logger.info('signed in', { subject, organization: chosen?.id })
  return new PlainReply({
    status: 302,
    headers: { location: attempt.returnTo, 'referrer-policy': 'no-referrer' },
    cookies: [jar.set(jar.session, value), jar.clear(jar.attempt(state))],
  })
}

/** The sign-in that this browser began: one that another browser began is not finished here (login CSRF). */
function attemptOf({ jar, serverSecret }: LoginDeps, { rawHeaders, clock }: RequestContext, state: string): LoginAttempt {
  const [value, ...others] = state === '' ? [] : cookieValues(rawHeaders, jar.attempt(state))
  const attempt = value === undefined || others.length > 0 ? undefined : openAttempt(serverSecret, { value, state, now: clock() })
  if (attempt === undefined)
    throw new Refusal('invalid_request', 'This sign-in was begun in another browser, is finished, or took too long. Begin again at /login.')
  return attempt
}

function refusedSignIn({ logger }: RequestContext, outcome: Exclude<LoginOutcome, { kind: 'signed_in' }>): Refusal {
  if (outcome.kind === 'denied') {
    logger.info('sign-in denied by the issuer', { error: outcome.error })
    return new Refusal('unauthenticated', `The identity provider refuses: ${outcome.error}. Begin again at /login.`)
  }
  logger.warn('sign-in refused', { check: outcome.check, detail: outcome.detail })
  return new Refusal('unauthenticated', 'What the identity provider says cannot be believed. Begin again at /login.')
}

async function end(deps: LoginDeps, context: RequestContext): Promise<PlainReply> {
  const { jar, oidc, sessions } = deps
  const { rawHeaders } = context
  const { origin } = new URL(deps.publicUrl())
  const decision = decideOwnOrigin({ rawHeaders, ownOrigins: [origin] })
  if (decision.kind === 'refused') throw new Refusal('origin_refused', decision.message)
  const [value, ...others] = cookieValues(rawHeaders, jar.session)
  if (value === undefined || others.length > 0) throw new Refusal('unauthenticated', 'There is no session to end.')
  // One that is over already ends well: the browser forgets it.
  const signedIn = await sessions.end(value)
  const returnTo = new URL(DEFAULT_RETURN_TO, origin).href
  const url = signedIn === undefined ? undefined : await endSessionUrl(oidc, { idToken: signedIn.idToken, returnTo, context })
  const cookies = [jar.clear(jar.session)]
  // A form's answer is followed by the browser; a script could not follow it to another site.
  const isForm = context.headers['sec-fetch-mode'] === 'navigate' || context.headers.accept?.includes('text/html') === true
  if (isForm)
    return new PlainReply({ status: 302, headers: { location: url ?? DEFAULT_RETURN_TO, 'referrer-policy': 'no-referrer' }, cookies })
  return new PlainReply({ status: 200, body: url === undefined ? {} : { endSessionUrl: url }, cookies })
}

type EndSession = { readonly idToken: string; readonly returnTo: string; readonly context: RequestContext }

/** Ours is over already, whether or not the issuer can be asked. */
async function endSessionUrl(oidc: OidcClient, { idToken, returnTo, context }: EndSession): Promise<string | undefined> {
  try {
    return (await oidc.endSessionUrl(idToken, returnTo))?.href
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    context.logger.warn('the session of the issuer goes on', { error })
    return undefined
  }
}

async function endElsewhere({ oidc, sessions }: LoginDeps, { logger }: RequestContext, token: string): Promise<PlainReply> {
  const outcome = await asking(() => oidc.readLogout(token))
  if (outcome.kind === 'refused') {
    logger.warn('logout token refused', { check: outcome.check, detail: outcome.detail })
    throw new Refusal('invalid_request', 'The logout token is not valid.')
  }
  const ended = await sessions.endOf(outcome)
  logger.info('signed out by the issuer', { sessions: ended })
  return new PlainReply({ status: 204 })
}

async function choose(deps: LoginDeps, { rawHeaders }: RequestContext, organization: string): Promise<Me> {
  const who = await deps.caller.whoIs({ method: 'POST', rawHeaders })
  if ('kind' in who || who.session === undefined) throw new Refusal('invalid_request', 'Only the session of a cookie chooses.')
  const found = who.organizations.find(({ id }) => id === organization.toLowerCase())
  if (found === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  await deps.sessions.choose(who.session, found.id)
  return meOf({ ...who, session: { ...who.session, organizationId: found.id } })
}

function meOf(who: Awaited<ReturnType<PublicCaller['whoIs']>>): Me {
  if ('kind' in who) {
    const { authId, scopes, organizationId } = who
    return { kind: 'key', id: authId, scopes, organizationId, organizations: [], via: 'api_key' }
  }
  const { principal, organizations, session, via } = who
  const mine = organizations.flatMap((each) => {
    const role = roleIn(who, each)
    return role === undefined ? [] : [{ id: each.id, name: each.name, role }]
  })
  const chosen = mine.length === 1 ? mine[0] : mine.find(({ id }) => id === session?.organizationId)
  return {
    kind: 'user',
    id: principal.subject,
    ...(principal.name !== undefined && { name: principal.name }),
    ...(principal.email !== undefined && { email: principal.email }),
    ...(chosen !== undefined && { organizationId: chosen.id, role: chosen.role }),
    organizations: mine,
    via,
    ...(session !== undefined && { endsAt: formatInstant(session.endsAt) }),
  }
}

/** An issuer that cannot be asked is not our fault, and not the caller's. */
async function asking<Outcome>(ask: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    throw new Refusal('issuer_unavailable', 'The identity provider cannot be asked now. Try again soon.', { cause: error })
  }
}
