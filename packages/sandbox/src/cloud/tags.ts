import type { Reply } from '../oauth/http.ts'
import { required } from './access.ts'
import { lacksPermission, notExist } from './api-reply.ts'
import { type ApiRequest, type Fields, assertRoom, created, deleted, fieldsOf, objectsOf, ok } from './api-request.ts'
import type { Tag, Tagged } from './entities.ts'
import { metaOf, ownerRef, referencesOf, requiredText, uriOf } from './fields.ts'
import { listEntities } from './lists.ts'
import type { RegionState } from './region-state.ts'

type Shown = Readonly<Record<string, unknown>> & { readonly resource_uri: string }

/** A tag with its resources: lists of tags have them too. */
function tagJson({ state }: ApiRequest, { uuid, name, meta, owner }: Tag): Shown {
  return {
    meta,
    name,
    owner: ownerRef(owner),
    resource_uri: uriOf('tags', uuid),
    resources: resourcesOf(state, uuid).map((resource) => ({
      owner: ownerRef(resource.owner),
      res_type: resource.kind,
      resource_uri: uriOf(resource.kind, resource.uuid),
      uuid: resource.uuid,
    })),
    uuid,
  }
}

function resourcesOf(state: RegionState, tag: string): readonly Tagged[] {
  const all: readonly Tagged[] = [...state.vlans.values(), ...state.drives.values(), ...state.servers.values(), ...state.ips.values()]
  return all.filter(({ tags }) => tags.includes(tag))
}

export const listTags = (request: ApiRequest): Reply => listEntities(request, request.state.tags.values(), (tag) => tagJson(request, tag))
export const getTag = (request: ApiRequest): Reply => ok(tagJson(request, required(request, request.state.tags, 'LIST')))

export function createTags(request: ApiRequest): Reply {
  const { world, state, actor } = request
  const asked = objectsOf(request)
  assertRoom(state.tags, asked.length)
  const made = asked.map((fields) => {
    const resources = resourcesAsked(request, fields)
    const tag: Tag = {
      kind: 'tags',
      uuid: world.newUuid('tag'),
      owner: actor.user.uuid,
      createdAt: world.now(),
      meta: metaOf(fields),
      tags: [],
      name: requiredText(fields, 'name'),
    }
    return { tag, resources }
  })
  for (const { tag, resources } of made) {
    state.tags.set(tag.uuid, tag)
    putResources(state, tag.uuid, resources ?? [])
  }
  return created(made.map(({ tag }) => tagJson(request, tag)))
}

/** Replaces the whole list of resources. A request without the field leaves it: hence the tag that can never be emptied. */
export function putTag(request: ApiRequest): Reply {
  const tag = required(request, request.state.tags, 'EDIT')
  const fields = fieldsOf(request)
  const name = requiredText(fields, 'name')
  const resources = resourcesAsked(request, fields)
  Object.assign(tag, { name, meta: metaOf(fields) })
  if (resources !== undefined) putResources(request.state, tag.uuid, resources)
  return ok(tagJson(request, tag))
}

export function deleteTag(request: ApiRequest): Reply {
  const { state } = request
  const tag = required(request, state.tags, 'EDIT')
  putResources(state, tag.uuid, [])
  state.tags.delete(tag.uuid)
  return deleted()
}

/** `GET /tags/:id/servers/` and the like, in full. */
export function listTagged(show: (request: ApiRequest) => Reply): (request: ApiRequest) => Reply {
  return (request) => {
    required(request, request.state.tags, 'LIST')
    const query = new URLSearchParams(request.call.query)
    query.set('tag', request.id)
    return show({ ...request, call: { ...request.call, query } })
  }
}

/** Strings (the documents) or `{"uuid"}` (works in production). Only own resources can be tagged. */
function resourcesAsked({ state, actor }: ApiRequest, fields: Fields): readonly Tagged[] | undefined {
  return referencesOf(fields, 'resources')?.map((uuid) => {
    const resource = state.taggable(uuid)
    if (resource === undefined) throw notExist(uuid)
    if (resource.owner !== actor.user.uuid) throw lacksPermission(actor.user.uuid, 'EDIT', uuid)
    return resource
  })
}

function putResources(state: RegionState, tag: string, resources: readonly Tagged[]): void {
  for (const resource of resourcesOf(state, tag)) resource.tags = resource.tags.filter((each) => each !== tag)
  for (const resource of resources) resource.tags.push(tag)
}
