import { lacksPermission, notExist } from './api-reply.ts'
import type { ApiRequest } from './api-request.ts'
import type { Entity } from './entities.ts'
import type { RegionState } from './region-state.ts'

/** What `user` was granted on somebody else's object, sorted. Granted on tags; what was granted cannot be passed on. */
function grantedOn(state: RegionState, user: string, entity: Entity): readonly string[] {
  const permissions = new Set<string>()
  for (const acl of state.acls.values()) {
    // An ACL opens only what its own owner owns.
    if (acl.owner !== entity.owner || !acl.grantees.includes(user) || !acl.tags.some((tag) => entity.tags.includes(tag))) continue
    for (const permission of acl.permissions) permissions.add(permission)
  }
  return [...permissions].toSorted()
}

/** Whether `user` may do this. Owners may do everything, and everybody may list and clone the library. */
export function mayUse(state: RegionState, user: string, { entity, permission }: { entity: Entity; permission: string }): boolean {
  if (entity.owner === user) return true
  if (entity.kind === 'libdrives') return permission === 'LIST' || permission === 'CLONE'
  return grantedOn(state, user, entity).includes(permission)
}

/**
 * An object that the caller may use in this way. One that is not there is 404; one that is somebody else's is 403, and so
 * says that it exists.
 * @throws {ApiRefusal}
 */
export function required<Kind extends Entity>(
  request: ApiRequest,
  objects: ReadonlyMap<string, Kind>,
  permission: string,
  uuid: string = request.id,
): Kind {
  const entity = objects.get(uuid)
  if (entity === undefined) throw notExist(uuid)
  const { user } = request.actor
  if (!mayUse(request.state, user.uuid, { entity, permission })) throw lacksPermission(user.uuid, permission, uuid)
  return entity
}

/** What of an object's ACLs its reader sees: what they were granted, or to whom they granted it. */
export function aclFields(
  request: ApiRequest,
  entity: Entity,
): { readonly permissions: readonly string[]; readonly grantees: readonly unknown[] } {
  const { state, actor } = request
  if (entity.owner !== actor.user.uuid) return { permissions: grantedOn(state, actor.user.uuid, entity), grantees: [] }
  const users = new Set([...state.acls.values()].flatMap(({ grantees }) => grantees))
  const grantees = [...users].flatMap((uuid) => {
    const permissions = grantedOn(state, uuid, entity)
    if (permissions.length === 0) return []
    const email = request.world.users.get(uuid)?.email ?? null
    return [{ permissions, user: { email, resource_uri: `/api/2.0/user/${uuid}/`, uuid } }]
  })
  return { permissions: [], grantees }
}
