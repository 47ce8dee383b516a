import type { Reply } from '../oauth/http.ts'
import { mayUse } from './access.ts'
import { invalidField } from './api-reply.ts'
import { type ApiRequest, ok } from './api-request.ts'
import type { Entity } from './entities.ts'

type Shown = Readonly<Record<string, unknown>>

/**
 * A page of what the caller may see: own objects, and foreign ones granted by ACL (so a reader must filter by owner). What
 * was made a moment ago is not in lists yet.
 */
export function listEntities<Kind extends Entity>(request: ApiRequest, entities: Iterable<Kind>, show: (entity: Kind) => Shown): Reply {
  const { world, state, actor } = request
  const seenUntil = world.now() - world.knobs.listLagMs
  const visible = [...entities].filter(
    (entity) =>
      (entity.createdAt <= seenUntil || entity.kind === 'libdrives') && mayUse(state, actor.user.uuid, { entity, permission: 'LIST' }),
  )
  return listReply(request, filtered(request.call.query, visible), show)
}

/** A page of anything. */
export function listReply<Item>(request: ApiRequest, items: readonly Item[], show: (item: Item) => Shown): Reply {
  const { query } = request.call
  const { defaultLimit, limitMax } = request.world.knobs
  const asked = countOf(query, 'limit') ?? defaultLimit
  const limit = limitMax > 0 && (asked === 0 || asked > limitMax) ? limitMax : asked
  const offset = countOf(query, 'offset') ?? 0
  const shown = ordered(query, items.map(show))
  const page = limit === 0 ? shown.slice(offset) : shown.slice(offset, offset + limit)
  const objects = page.map((each) => projected(query, each))
  return ok({ meta: { limit, offset, total_count: items.length }, objects })
}

function countOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,9}$/.test(text)) throw invalidField(name, `Invalid ${name} '${text}' provided. Please provide a positive integer.`)
  return Number(text)
}

function filtered<Kind extends Entity>(query: URLSearchParams, entities: readonly Kind[]): readonly Kind[] {
  const [name, contains, uuids, tags] = ['name', 'name__contains', 'uuid', 'tag'].map((each) => query.get(each))
  const nameOf = (entity: Kind): string => ('name' in entity ? String(entity.name) : '')
  return entities.filter(
    (entity) =>
      (typeof name !== 'string' || nameOf(entity) === name) &&
      (typeof contains !== 'string' || nameOf(entity).includes(contains)) &&
      (typeof uuids !== 'string' || uuids.split(',').includes(entity.uuid)) &&
      (typeof tags !== 'string' || tags.split(',').some((tag) => entity.tags.includes(tag))),
  )
}

/** `order_by=name`, `order_by=-name`. */
function ordered(query: URLSearchParams, shown: readonly Shown[]): readonly Shown[] {
  const by = query.get('order_by')
  if (by === null) return shown
  const [key, sign] = by.startsWith('-') ? [by.slice(1), -1] : [by, 1]
  return shown.toSorted((a, b) => sign * String(a[key]).localeCompare(String(b[key])))
}

/** `fields=uuid,status`. */
function projected(query: URLSearchParams, shown: Shown): Shown {
  const fields = query.get('fields')?.split(',')
  return fields === undefined ? shown : Object.fromEntries(Object.entries(shown).filter(([name]) => fields.includes(name)))
}

/** Some members of an object: what a summary list has. */
export function picked(shown: Shown, names: readonly string[]): Shown {
  return Object.fromEntries(names.map((name) => [name, shown[name]]))
}
