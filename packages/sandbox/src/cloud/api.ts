import type { Call, Reply } from '../oauth/http.ts'
import { getBalance, getCurrentUsage, getProfile, listLocations, putProfile } from './account-api.ts'
import { createAcls, deleteAcl, getAcl, listAcls, putAcl } from './acls.ts'
import { ApiRefusal } from './api-reply.ts'
import type { ApiHandler } from './api-request.ts'
import { listLogs } from './audit.ts'
import type { Actor } from './authenticate.ts'
import { getCapabilities } from './capabilities.ts'
import {
  actOnDrive,
  actOnLibdrive,
  createDrives,
  deleteDrive,
  getDrive,
  getLibdrive,
  listDrives,
  listDrivesDetail,
  listLibdrives,
  putDrive,
} from './drives.ts'
import { getJob, listJobs } from './jobs.ts'
import { getIp, getVlan, listIps, listIpsDetail, listVlans, listVlansDetail, putIp, putVlan } from './networks.ts'
import { actOnServer } from './server-actions.ts'
import { createServers, deleteServer, getServer, getServerRuntime, listServers, listServersDetail, putServer } from './servers.ts'
import { createSubscription, listSubscriptions } from './subscriptions.ts'
import { createTags, deleteTag, getTag, listTagged, listTags, putTag } from './tags.ts'
import type { World } from './world.ts'

export const API_PREFIX = '/api/2.0/'

/** What API 2.0 serves. `:id` is one part of the path. */
const ROUTES: Readonly<Record<string, ApiHandler>> = {
  'GET profile': getProfile,
  'PUT profile': putProfile,
  'GET balance': getBalance,
  'GET currentusage': getCurrentUsage,
  'GET subscriptions': listSubscriptions,
  'POST subscriptions': createSubscription,
  'GET locations': listLocations,
  'GET capabilities': getCapabilities,
  'GET logs': listLogs,
  'GET servers': listServers,
  'GET servers/detail': listServersDetail,
  'POST servers': createServers,
  'GET servers/:id': getServer,
  'PUT servers/:id': putServer,
  'DELETE servers/:id': deleteServer,
  'POST servers/:id/action': actOnServer,
  'GET servers/:id/runtime': getServerRuntime,
  'GET drives': listDrives,
  'GET drives/detail': listDrivesDetail,
  'POST drives': createDrives,
  'GET drives/:id': getDrive,
  'PUT drives/:id': putDrive,
  'DELETE drives/:id': deleteDrive,
  'POST drives/:id/action': actOnDrive,
  'GET libdrives': listLibdrives,
  'GET libdrives/:id': getLibdrive,
  'POST libdrives/:id/action': actOnLibdrive,
  'GET jobs': listJobs,
  'GET jobs/:id': getJob,
  'GET vlans': listVlans,
  'GET vlans/detail': listVlansDetail,
  'GET vlans/:id': getVlan,
  'PUT vlans/:id': putVlan,
  'GET ips': listIps,
  'GET ips/detail': listIpsDetail,
  'GET ips/:id': getIp,
  'PUT ips/:id': putIp,
  'GET tags': listTags,
  'GET tags/detail': listTags,
  'POST tags': createTags,
  'GET tags/:id': getTag,
  'PUT tags/:id': putTag,
  'DELETE tags/:id': deleteTag,
  'GET tags/:id/servers': listTagged(listServersDetail),
  'GET tags/:id/servers/detail': listTagged(listServersDetail),
  'GET tags/:id/drives': listTagged(listDrivesDetail),
  'GET tags/:id/ips': listTagged(listIpsDetail),
  'GET tags/:id/vlans': listTagged(listVlansDetail),
  'GET acls': listAcls,
  'POST acls': createAcls,
  'GET acls/:id': getAcl,
  'PUT acls/:id': putAcl,
  'DELETE acls/:id': deleteAcl,
}

/** Method and path of everything that is served. */
export const API_ROUTES: readonly string[] = Object.keys(ROUTES)

type Route = { readonly method: string; readonly path: string; readonly pattern: RegExp; readonly handler: ApiHandler }

const COMPILED: readonly Route[] = Object.entries(ROUTES).map(([route, handler]) => {
  const [method = '', path = ''] = route.split(' ')
  return { method, path, pattern: new RegExp(`^${path.replace(':id', '([^/]+)')}$`), handler }
})

export type ApiCall = { readonly call: Call; readonly region: string; readonly actor: Actor }

/** Answers a call of API 2.0. @throws {ApiRefusal} */
export function serveApi(world: World, { call, region, actor }: ApiCall): Reply {
  const path = call.path.slice(API_PREFIX.length)
  // Django's APPEND_SLASH: every path of this API ends in one, and a client that forgets it is sent there, without its body.
  if (!path.endsWith('/'))
    return { status: 301, headers: { Location: `${call.path}/${call.query.size === 0 ? '' : `?${call.query.toString()}`}` } }
  const wanted = path.slice(0, -1)
  // `servers/detail` is a list, not the server called so.
  const found = COMPILED.filter(({ path: known, pattern }) => known === wanted || pattern.test(wanted)).toSorted(
    (a, b) => Number(b.path === wanted) - Number(a.path === wanted),
  )
  if (found.length === 0) throw new ApiRefusal(404, 'notexist', 'Resource does not exist')
  const route = found.find(({ method }) => method === call.method)
  if (route === undefined) throw new ApiRefusal(405, 'validation', `Method ${call.method} is not allowed`)
  world.schedule.settle()
  const [collection = ''] = wanted.split('/', 1)
  assertAllowed(world, actor, collection)
  return route.handler({ world, actor, region, state: world.state(region), call, id: route.pattern.exec(wanted)?.[1] ?? '' })
}

/** Whether the account is in order, and the token reaches this collection. @throws {ApiRefusal} */
function assertAllowed(world: World, actor: Actor, collection: string): void {
  if (collection === 'profile') return
  if (actor.user.state === 'SUSPENDED') throw new ApiRefusal(403, 'permission', 'User is suspended')
  const { impScopes } = world.knobs
  if (actor.clientId === undefined || impScopes.length === 0 || impScopes.includes(collection)) return
  throw new ApiRefusal(403, 'permission', `The token does not have the scope '${collection}'`)
}
