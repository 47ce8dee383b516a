import type { Call, Reply } from '../oauth/http.ts'
import { KEYCLOAK_HEADERS } from '../oauth/keycloak-reply.ts'
import { parseForm } from '../oauth/form.ts'
import { realmStepOf, serveRealm } from '../oauth/oauth-server.ts'
import { API_PREFIX, type ApiCall, serveApi } from './api.ts'
import { ApiRefusal, gatewayPage, refusalReply } from './api-reply.ts'
import { type Actor, authenticate } from './authenticate.ts'
import type { CallStep } from './faults.ts'
import { acceptedFormat, formatted } from './formats.ts'
import { IMPERSONATE_PATH, REVOKE_PATH, impersonate, revokeImpersonated, subjectNamed } from './impersonate.ts'
import type { TokenCheck } from './issuers.ts'
import type { ErrorShape, ExpiresIn, Knobs } from './knobs.ts'
import type { Place } from './regions.ts'
import { ACCOUNTS_ACTION } from './sessions.ts'
import type { World } from './world.ts'

/** A call that is understood and not yet answered: faults and the log come between. */
export type Exchange = {
  readonly step: CallStep
  readonly region?: string
  readonly user?: string
  readonly tokenOf?: string
  readonly client?: string
  /** The form that errors of this place have. */
  readonly errorShape: ErrorShape | 'oauth'
  readonly run: () => Reply | Promise<Reply>
}

/** Finds out what a call is and who makes it. */
export function planExchange(world: World, { call, place, check }: { call: Call; place: Place | undefined; check: TokenCheck }): Exchange {
  if (place === undefined) return { step: 'api', errorShape: 'html', run: () => gatewayPage(404) }
  if (place.kind === 'oauth') return planOauth(world, call)
  const { region } = place
  if (place.kind === 'direct' && world.knobs.directlessRegions.includes(region))
    return { step: 'api', region, errorShape: 'html', run: () => gatewayPage(404) }
  if (call.path === IMPERSONATE_PATH || call.path === REVOKE_PATH) return planImpersonate(world, { call, place, check })
  if (!call.path.startsWith(API_PREFIX)) return { step: 'api', region, errorShape: 'html', run: () => gatewayPage(404) }
  return planApi(world, call, place)
}

function planOauth(world: World, call: Call): Exchange {
  const step = realmStepOf(call)
  const client = parseForm(call.headers['content-type'], call.body).get('client_id')
  return {
    step: step ?? 'oauth',
    errorShape: 'oauth',
    ...(client !== null && { client }),
    run: () => {
      const state = world.knobs.oauthState
      if (state !== 'up') return outOfService(state)
      if (!call.path.startsWith('/realms/'))
        return { status: 404, headers: KEYCLOAK_HEADERS, body: { error: 'Unable to find matching target resource method' } }
      const reply = serveRealm(world.realm, call)
      return step === undefined ? reply : withExpiresIn(reply, step === 'rpt' ? world.knobs.rptExpiresIn : world.knobs.saExpiresIn)
    },
  }
}

/** The two ways in which Keycloak is not there though its port is open. Neither is JSON. */
function outOfService(state: Exclude<Knobs['oauthState'], 'up'>): Reply {
  if (state === 'overloaded') return { status: 503, headers: {} }
  return {
    status: 503,
    headers: { 'Content-Type': 'text/plain', Refresh: '1', 'Retry-After': '1' },
    body: 'Bootstrap in progress. Retry in 1 seconds.',
  }
}

type AtRegion = Extract<Place, { region: string }>

function planImpersonate(world: World, { call, place, check }: { call: Call; place: AtRegion; check: TokenCheck }): Exchange {
  const user = subjectNamed(call)
  const { region } = place
  const shape = world.knobs.impersonateErrorShape
  return {
    step: 'impersonate',
    region,
    errorShape: shape,
    ...(user !== undefined && { user }),
    run: () =>
      refusing(shape, async () => {
        // The plain host has no such endpoint: minting and use are at one host.
        if (place.kind === 'other') return gatewayPage(404)
        if (call.method !== 'POST') throw new ApiRefusal(405, 'validation', `Method ${call.method} is not allowed`)
        if (call.path === REVOKE_PATH) return world.knobs.revocationEndpoint ? revokeImpersonated(world, call) : gatewayPage(404)
        return withExpiresIn(await impersonate(world, { call, region, check }), world.knobs.impExpiresIn)
      }),
  }
}

function planApi(world: World, call: Call, place: AtRegion): Exchange {
  const { region } = place
  const errorShape = world.knobs.errorShape
  if (call.path === `${API_PREFIX}${ACCOUNTS_ACTION}`)
    return { step: 'api', region, errorShape, run: () => refusing(errorShape, async () => world.sessions.act(world, call)) }
  let actor: Actor
  try {
    actor = authenticate(world, call, place)
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error
    return { step: 'api', region, errorShape, run: () => refusalReply(error, errorShape) }
  }
  return {
    step: 'api',
    region,
    errorShape,
    user: actor.user.email,
    ...(actor.tokenOf !== undefined && { tokenOf: actor.tokenOf.email }),
    run: () => runApi(world, { call, region, actor }),
  }
}

async function runApi(world: World, { call, region, actor }: ApiCall): Promise<Reply> {
  const { knobs } = world
  const format = acceptedFormat(call.headers.accept)
  const reply = await refusing(knobs.errorShape, async () => {
    if (format === undefined) throw new ApiRefusal(406, 'validation', 'None of the media types in Accept can be sent')
    if (call.body !== '' && !isJson(call)) throw new ApiRefusal(406, 'validation', 'Send a body as application/json')
    world.rateLimit.count(actor.user.uuid, { method: call.method, now: world.clock.now(), knobs })
    return serveApi(world, { call, region, actor })
  })
  return formatted(reply, { knobs, format: format ?? 'json' })
}

const isJson = (call: Call): boolean => call.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json'

async function refusing(shape: ErrorShape, work: () => Promise<Reply>): Promise<Reply> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ApiRefusal) return refusalReply(error, shape)
    throw error
  }
}

function withExpiresIn(reply: Reply, form: ExpiresIn): Reply {
  if (form === 'number' || reply.status !== 200 || typeof reply.body !== 'object' || reply.body === null) return reply
  const { expires_in: expiresIn, ...rest } = reply.body as Record<string, unknown>
  if (expiresIn === undefined) return reply
  return { ...reply, body: form === 'string' ? { ...reply.body, expires_in: JSON.stringify(expiresIn) } : rest }
}
