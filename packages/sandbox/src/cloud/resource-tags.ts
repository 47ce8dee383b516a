import { notExist } from './api-reply.ts'
import type { ApiRequest, Fields } from './api-request.ts'
import type { Tagged } from './entities.ts'
import { referencesOf } from './fields.ts'

/** The tags that a request sets from the resource's side; undefined where it does not speak of them. @throws {ApiRefusal} */
export function tagsOf({ state, actor }: ApiRequest, fields: Fields): readonly string[] | undefined {
  const tags = referencesOf(fields, 'tags')
  for (const uuid of tags ?? []) {
    if (state.tags.get(uuid)?.owner !== actor.user.uuid) throw notExist(uuid)
  }
  return tags
}

/** Sets them. */
export function setTags(resource: Tagged, tags: readonly string[]): void {
  resource.tags = [...tags]
}
