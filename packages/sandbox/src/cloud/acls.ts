import type { Reply } from '../oauth/http.ts'
import { required } from './access.ts'
import { invalidField } from './api-reply.ts'
import { type ApiRequest, type Fields, assertRoom, created, deleted, fieldsOf, objectsOf, ok } from './api-request.ts'
import type { Acl } from './entities.ts'
import { listOf, metaOf, ownerRef, refTo, requiredText, uriOf } from './fields.ts'
import { listEntities } from './lists.ts'
import { tagsOf } from './resource-tags.ts'

type Shown = Readonly<Record<string, unknown>> & { readonly resource_uri: string }

const PERMISSIONS: ReadonlySet<unknown> = new Set(['LIST', 'EDIT', 'CLONE', 'START', 'STOP', 'OPEN_VNC', 'ATTACH'])

function aclJson({ world }: ApiRequest, { uuid, name, meta, owner, permissions, grantees, tags }: Acl): Shown {
  return {
    grantees: grantees.map((grantee) => ({
      email: world.users.get(grantee)?.email ?? null,
      resource_uri: refTo('user', grantee),
      uuid: grantee,
    })),
    meta,
    name,
    owner: ownerRef(owner),
    resource_uri: uriOf('acls', uuid),
    rules: permissions.map((permission) => ({ permission })),
    tags: tags.map((tag) => refTo('tags', tag)),
    uuid,
  }
}

export const listAcls = (request: ApiRequest): Reply => listEntities(request, request.state.acls.values(), (acl) => aclJson(request, acl))
export const getAcl = (request: ApiRequest): Reply => ok(aclJson(request, required(request, request.state.acls, 'LIST')))

export function createAcls(request: ApiRequest): Reply {
  const { world, state, actor } = request
  const asked = objectsOf(request)
  assertRoom(state.acls, asked.length)
  const made = asked.map((fields): Acl => ({
    kind: 'acls',
    uuid: world.newUuid('acl'),
    owner: actor.user.uuid,
    createdAt: world.now(),
    ...grantOf(request, fields),
  }))
  for (const acl of made) state.acls.set(acl.uuid, acl)
  return created(made.map((acl) => aclJson(request, acl)))
}

export function putAcl(request: ApiRequest): Reply {
  const acl = required(request, request.state.acls, 'EDIT')
  Object.assign(acl, grantOf(request, fieldsOf(request)))
  return ok(aclJson(request, acl))
}

export function deleteAcl(request: ApiRequest): Reply {
  request.state.acls.delete(required(request, request.state.acls, 'EDIT').uuid)
  return deleted()
}

/** What an ACL grants, to whom, on which tags. */
function grantOf(request: ApiRequest, fields: Fields): Pick<Acl, 'name' | 'meta' | 'tags' | 'permissions' | 'grantees'> {
  const permissions = listOf(fields, 'rules').map(({ permission }) => permission)
  const unknown = permissions.find((permission) => !PERMISSIONS.has(permission))
  if (unknown !== undefined) throw invalidField('rules', `${JSON.stringify(unknown)} is not a permission`)
  return {
    name: requiredText(fields, 'name'),
    meta: metaOf(fields),
    tags: [...(tagsOf(request, fields) ?? [])],
    permissions: permissions.map(String),
    grantees: granteesOf(request, fields),
  }
}

/** E-mails, or objects with an e-mail or a uuid. */
function granteesOf({ world }: ApiRequest, fields: Fields): readonly string[] {
  const { grantees } = fields
  if (grantees === undefined || grantees === null) return []
  if (!Array.isArray(grantees)) throw invalidField('grantees', 'A list is required')
  return grantees.map((each: unknown) => {
    const { email, uuid } = (typeof each === 'string' ? { email: each } : Object(each)) as { email?: unknown; uuid?: unknown }
    const user = typeof uuid === 'string' ? world.users.get(uuid) : typeof email === 'string' ? world.users.byEmail(email) : undefined
    if (user === undefined) throw invalidField('grantees', `There is no user ${JSON.stringify(each)}`)
    return user.uuid
  })
}
