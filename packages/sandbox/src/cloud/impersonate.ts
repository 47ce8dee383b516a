import { type Call, type Reply, bearerOf, jsonObject } from '../oauth/http.ts'
import type { Claims } from '../oauth/signing-keys.ts'
import { ApiRefusal, JSON_HEADERS, missingField } from './api-reply.ts'
import { type TokenCheck, grantsImpersonation } from './issuers.ts'
import type { SandboxUser } from './users.ts'
import type { World } from './world.ts'

export const IMPERSONATE_PATH = '/service_provider/api/v1/user/impersonate'
export const REVOKE_PATH = '/service_provider/api/v1/user/revoke'

/** Whom a call to the impersonate endpoint names, whatever else is right about it. */
export function subjectNamed(call: Call): string | undefined {
  const { user_email: email } = jsonObject(call.body)
  return typeof email === 'string' ? email : undefined
}

export type Impersonation = { readonly call: Call; readonly region: string; readonly check: TokenCheck }

/**
 * Step 3: an RPT in the header and the service-account token in the body give a token that acts as the user, here.
 * @throws {ApiRefusal}
 */
export async function impersonate(world: World, { call, region, check }: Impersonation): Promise<Reply> {
  const rpt = await check.check(bearerOf(call) ?? '')
  if (rpt === undefined) throw new ApiRefusal(401, 'permission', 'Invalid or expired token')
  if (!grantsImpersonation(rpt)) throw new ApiRefusal(403, 'permission', 'The token does not permit user:impersonate')
  const { email, subjectToken } = bodyOf(call)
  const service = await check.check(subjectToken)
  if (service === undefined || service['azp'] !== rpt['azp'] || service['iss'] !== rpt['iss'])
    throw new ApiRefusal(401, 'permission', 'Invalid or expired subject_token')
  return issue(world, { user: allowedUser(world, email), service, region, host: call.host })
}

function bodyOf(call: Call): { email: string; subjectToken: string } {
  let body: { user_email?: unknown; subject_token?: unknown }
  try {
    body = Object(JSON.parse(call.body)) as typeof body
  } catch {
    throw new ApiRefusal(400, 'validation', 'The body is not JSON')
  }
  const { user_email: email, subject_token: subjectToken } = body
  if (typeof email !== 'string' || email === '') throw missingField('user_email')
  if (typeof subjectToken !== 'string' || subjectToken === '') throw missingField('subject_token')
  return { email, subjectToken }
}

function allowedUser(world: World, subject: string): SandboxUser {
  const { knobs, users } = world
  const user = users.byEmail(subject) ?? (knobs.acceptedSubjects === 'email-or-uuid' ? users.get(subject) : undefined)
  if (user === undefined) throw new ApiRefusal(knobs.impersonateUnknownStatus, 'notexist', 'User does not exist')
  if (user.state === 'SUSPENDED') throw new ApiRefusal(403, 'permission', 'User is suspended')
  if (user.state === 'UNVERIFIED') throw new ApiRefusal(403, 'permission', 'User has not verified the e-mail address')
  const allowed = knobs.impersonatableUsers
  if (allowed.length > 0 && !allowed.some((each) => each.toLowerCase() === user.email.toLowerCase()))
    throw new ApiRefusal(403, 'permission', 'The client may not impersonate this user')
  return (knobs.impersonateGives === '' ? undefined : users.byEmail(knobs.impersonateGives)) ?? user
}

type Issue = { readonly user: SandboxUser; readonly service: Claims; readonly region: string; readonly host: string }

function issue(world: World, { user, service, region, host }: Issue): Reply {
  const { knobs, random, clock } = world
  const iat = Math.floor(clock.now() / 1000)
  const exp = iat + knobs.impTtlS
  const clientId = String(service['azp'])
  const claims = {
    exp,
    iat,
    jti: random.uuid('imp-jti'),
    iss: `http://${host}/service_provider`,
    aud: 'api',
    sub: user.uuid,
    typ: 'Bearer',
    azp: clientId,
    email: user.email,
    ...(knobs.actInToken && { act: { sub: service['sub'] } }),
  }
  const token = knobs.impForm === 'jwt' ? world.realm.keys.sign(claims) : random.bytes('opaque-token').toString('base64url')
  world.tokens.add(token, { userUuid: user.uuid, clientId, region, expiresAtMs: exp * 1000 })
  return { status: 200, headers: JSON_HEADERS, body: { access_token: token, token_type: 'Bearer', expires_in: knobs.impTtlS } }
}

/** The revocation endpoint that only a knob turns on. */
export function revokeImpersonated(world: World, call: Call): Reply {
  const { token } = jsonObject(call.body)
  if (typeof token === 'string') world.tokens.revoke(token, world.clock.now())
  return { status: 204, headers: {} }
}
