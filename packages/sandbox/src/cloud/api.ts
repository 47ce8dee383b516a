import type { Call, Reply } from '../oauth/http.ts'
import { getProfile } from './account-api.ts'
import { ApiRefusal } from './api-reply.ts'
import type { ApiHandler } from './api-request.ts'
import type { Actor } from './authenticate.ts'
import type { World } from './world.ts'

export const API_PREFIX = '/api/2.0/'

/** What API 2.0 serves. `:id` is one part of the path. */
const ROUTES: Readonly<Record<string, ApiHandler>> = {
  'GET profile': getProfile,
}

type Route = { readonly method: string; readonly pattern: RegExp; readonly handler: ApiHandler }

const COMPILED: readonly Route[] = Object.entries(ROUTES).map(([route, handler]) => {
  const [method = '', path = ''] = route.split(' ')
  return { method, pattern: new RegExp(`^${path.replace(':id', '([^/]+)')}$`), handler }
})

export type ApiCall = { readonly call: Call; readonly region: string; readonly actor: Actor }

/** Answers a call of API 2.0. @throws {ApiRefusal} */
export function serveApi(world: World, { call, region, actor }: ApiCall): Reply {
  const path = call.path.slice(API_PREFIX.length)
  // Django's APPEND_SLASH: every path of this API ends in one, and a client that forgets it is sent there, without its body.
  if (!path.endsWith('/')) return { status: 301, headers: { Location: `${call.path}/` } }
  const wanted = path.slice(0, -1)
  const found = COMPILED.filter(({ pattern }) => pattern.test(wanted))
  if (found.length === 0) throw new ApiRefusal(404, 'notexist', 'Resource does not exist')
  const route = found.find(({ method }) => method === call.method)
  if (route === undefined) throw new ApiRefusal(405, 'validation', `Method ${call.method} is not allowed`)
  const [collection = ''] = wanted.split('/', 1)
  assertAllowed(world, actor, collection)
  return route.handler({ world, actor, region, call, id: route.pattern.exec(wanted)?.[1] ?? '' })
}

/** Whether the account is in order, and the token reaches this collection. @throws {ApiRefusal} */
function assertAllowed(world: World, actor: Actor, collection: string): void {
  if (collection === 'profile') return
  if (actor.user.state === 'SUSPENDED') throw new ApiRefusal(403, 'permission', 'User is suspended')
  const { impScopes } = world.knobs
  if (actor.clientId === undefined || impScopes.length === 0 || impScopes.includes(collection)) return
  throw new ApiRefusal(403, 'permission', `The token does not have the scope '${collection}'`)
}
