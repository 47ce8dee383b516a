import { type Call, bearerOf } from '../oauth/http.ts'
import { ApiRefusal } from './api-reply.ts'
import type { Place } from './regions.ts'
import type { SandboxUser } from './users.ts'
import type { World } from './world.ts'

/** Who a call acts as. */
export type Actor = {
  readonly user: SandboxUser
  /** Whose token it was, where that is somebody else: the wrong host. */
  readonly tokenOf?: SandboxUser
  /** The client that impersonates; absent with HTTP Basic. */
  readonly clientId?: string
}

const refused = (): ApiRefusal => new ApiRefusal(401, 'permission', 'Authentication failed')

/** Who calls API 2.0, by HTTP Basic, by a login's cookie or by an impersonated bearer. The host decides what a bearer is worth. @throws {ApiRefusal} */
export function authenticate(world: World, call: Call, place: Extract<Place, { region: string }>): Actor {
  const bearer = bearerOf(call)
  if (bearer === undefined) return { user: world.sessions.userOf(world, call) ?? basicUser(world, call) }
  const token = world.tokens.find(bearer, world.clock.now())
  const owner = token === undefined ? undefined : world.users.get(token.userUuid)
  if (token === undefined || owner === undefined) throw refused()
  const { knobs } = world
  if (place.kind === 'other') {
    const platform = world.users.platform()
    if (!knobs.wrongHostIdentity || platform === undefined) throw refused()
    return { user: platform, tokenOf: owner, clientId: token.clientId }
  }
  if (token.region !== place.region && knobs.tokenValidAt === 'minting-host') throw refused()
  return { user: owner, clientId: token.clientId }
}

function basicUser(world: World, call: Call): SandboxUser {
  const [, encoded = ''] = /^basic\s+(.+)$/i.exec(call.headers.authorization ?? '') ?? []
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  const user = colon < 0 ? undefined : world.users.byEmail(text.slice(0, colon))
  if (user === undefined || user.password !== text.slice(colon + 1)) throw refused()
  return user
}
