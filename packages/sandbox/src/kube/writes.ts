import { randomBytes, randomUUID } from 'node:crypto'
import { at, isObject, isSame, textAt, withAt } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import { keyOfObject } from './objects.ts'
import type { Objects } from './objects.ts'
import { applyConfig, ownUpdate } from './ownership.ts'
import type { Owner, Ownership } from './ownership.ts'
import { jsonPatch, mergePatch } from './patches.ts'
import { Refusal, badRequest, conflict, invalid, notFound } from './refusal.ts'
import { idOf, keyOfTarget } from './target.ts'
import type { Target } from './target.ts'

/** Facts of a write beside its body. */
export type WriteFacts = { readonly manager: string; readonly dryRun: boolean; readonly force: boolean; readonly now: () => Date }
export type Written = { readonly object: JsonObject; readonly isNew: boolean }

type Current = { readonly object: JsonObject; readonly ownership: Ownership }

const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** Kinds whose status is written through `/status` only: all but those of the core that have none. */
const hasStatus = ({ group, plural }: Target): boolean =>
  !(group === '' && plural !== 'namespaces' && plural !== 'nodes') && !/^(coordination|events)\.k8s\.io$/.test(group)

export function create(
  objects: Objects,
  target: Target,
  { body, facts }: { readonly body: JsonObject; readonly facts: WriteFacts },
): Written {
  const metadata = isObject(body['metadata']) ? body['metadata'] : {}
  const generate = metadata['generateName']
  const name = metadata['name'] ?? (typeof generate === 'string' ? `${generate}${randomBytes(3).toString('hex').slice(0, 5)}` : undefined)
  if (typeof name !== 'string' || !NAME.test(name) || name.length > 253)
    throw invalid(typeof name === 'string' ? name : '', 'metadata.name', 'a lowercase RFC 1123 subdomain is required')
  if (metadata['resourceVersion'] !== undefined && metadata['resourceVersion'] !== '')
    throw badRequest('resourceVersion should not be set on objects to be created')
  const draft = fresh(target, { body, name, facts })
  if (objects.get(idOf(target), keyOfObject(draft)) !== undefined)
    throw new Refusal(409, 'AlreadyExists', {
      message: `${target.plural} "${name}" already exists`,
      details: { name, kind: target.plural },
    })
  const owner: Owner = { manager: facts.manager, operation: 'Update', subresource: '' }
  return save(objects, target, { object: draft, ownership: ownUpdate(new Map(), { before: {}, after: draft, owner }), facts, isNew: true })
}

function fresh(target: Target, { body, name, facts }: { body: JsonObject; name: string; facts: WriteFacts }): JsonObject {
  const { status: _, ...rest } = body
  const metadata = isObject(body['metadata']) ? body['metadata'] : {}
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, managedFields: _m, ...kept } = metadata
  return {
    ...(hasStatus(target) ? rest : body),
    metadata: {
      ...kept,
      name,
      ...(target.namespace !== undefined && { namespace: target.namespace }),
      uid: randomUUID(),
      generation: 1,
      creationTimestamp: seconds(facts.now()),
    },
    ...(idOf(target) === '/namespaces' && { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }),
  }
}

const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')

export function replace(
  objects: Objects,
  target: Target,
  { body, facts }: { readonly body: JsonObject; readonly facts: WriteFacts },
): Written {
  const current = standing(objects, target)
  const version = textAt(body, 'metadata', 'resourceVersion')
  if (version === undefined && target.group.includes('.') && hasStatus(target))
    throw invalid(target.name ?? '', 'metadata.resourceVersion', 'must be specified for an update')
  return update(objects, target, { current, next: body, facts })
}

export function patch(
  objects: Objects,
  target: Target,
  wish: { readonly type: string; readonly body: Json; readonly facts: WriteFacts },
): Written {
  const { type, body, facts } = wish
  if (type.startsWith('application/apply-patch')) {
    if (!isObject(body)) throw badRequest('an apply patch is an object')
    return apply(objects, target, { config: body, facts })
  }
  const current = standing(objects, target)
  if (type.startsWith('application/json-patch+json'))
    return update(objects, target, { current, next: jsonPatch(current.object, body), facts })
  if (!type.startsWith('application/merge-patch+json'))
    throw new Refusal(415, 'UnsupportedMediaType', { message: 'the body of the request was in an unknown format' })
  const next = mergePatch(current.object, body)
  if (!isObject(next)) throw badRequest('a merge patch of an object is an object')
  return update(objects, target, { current, next, facts })
}

function apply(objects: Objects, target: Target, { config, facts }: { readonly config: JsonObject; readonly facts: WriteFacts }): Written {
  if (facts.manager === '') throw badRequest('fieldManager is required for apply patch')
  const owner: Owner = { manager: facts.manager, operation: 'Apply', subresource: target.subresource ?? '' }
  const found = objects.get(idOf(target), keyOfTarget(target))
  if (textAt(config, 'metadata', 'managedFields') !== undefined) throw badRequest('metadata.managedFields must be nil')
  const scoped = scopeOf(target, config)
  if (found !== undefined) {
    expectSame(target, { object: found.object, wish: config })
    const applied = applyConfig(found, { config: scoped, owner, force: facts.force })
    return update(objects, target, { current: found, next: applied.object, facts, ownership: applied.ownership })
  }
  if (target.subresource !== undefined) throw notFound(target.plural, target.name ?? '')
  if (textAt(config, 'metadata', 'uid') !== undefined) throw conflict(target.plural, target.name ?? '')
  const draft = fresh(target, { body: config, name: target.name ?? '', facts })
  const { ownership } = applyConfig({ object: draft, ownership: new Map() }, { config: scoped, owner, force: true })
  return save(objects, target, { object: draft, ownership, facts, isNew: true })
}

/** What of a config counts at this subresource: the status there, everything else elsewhere. */
function scopeOf(target: Target, config: JsonObject): JsonObject {
  if (target.subresource === 'status') return isObject(config['status']) ? { status: config['status'] } : {}
  if (!hasStatus(target)) return config
  const { status: _, ...rest } = config
  return rest
}

function standing(objects: Objects, target: Target): Current {
  const found = objects.get(idOf(target), keyOfTarget(target))
  if (found === undefined) throw notFound(target.plural, target.name ?? '')
  return found
}

function expectSame(target: Target, { object, wish }: { readonly object: JsonObject; readonly wish: JsonObject }): void {
  for (const field of ['resourceVersion', 'uid']) {
    const wanted = textAt(wish, 'metadata', field)
    if (wanted !== undefined && wanted !== '' && wanted !== textAt(object, 'metadata', field))
      throw conflict(target.plural, target.name ?? '')
  }
}

type Update = { readonly current: Current; readonly next: JsonObject; readonly facts: WriteFacts; readonly ownership?: Ownership }

function update(objects: Objects, target: Target, { current, next, facts, ownership }: Update): Written {
  const before = current.object
  expectSame(target, { object: before, wish: next })
  const after = settled(target, { before, next })
  const isDeleting = textAt(before, 'metadata', 'deletionTimestamp') !== undefined
  const added = texts(at(after, ['metadata', 'finalizers'])).filter((each) => !texts(at(before, ['metadata', 'finalizers'])).includes(each))
  if (isDeleting && added.length > 0)
    throw invalid(target.name ?? '', 'metadata.finalizers', 'Forbidden: no new finalizers can be added if the object is being deleted')
  const owner: Owner = { manager: facts.manager, operation: 'Update', subresource: target.subresource ?? '' }
  const owned = ownership ?? ownUpdate(current.ownership, { before, after, owner })
  return save(objects, target, { object: after, ownership: owned, facts, isNew: false })
}

/** The next state as far as the caller may write it: system fields stay, status and the rest are kept apart, generation counts. */
function settled(target: Target, { before, next }: { readonly before: JsonObject; readonly next: JsonObject }): JsonObject {
  const status = before['status']
  if (target.subresource === 'status') {
    const { status: _, ...rest } = before
    return next['status'] === undefined ? rest : { ...rest, status: next['status'] }
  }
  let after: JsonObject = { ...next, apiVersion: before['apiVersion'] ?? '', kind: before['kind'] ?? '' }
  if (hasStatus(target)) after = withAt(after, ['status'], status)
  for (const field of [
    'uid',
    'name',
    'namespace',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'resourceVersion',
    'generation',
    'managedFields',
  ])
    after = withAt(after, ['metadata', field], at(before, ['metadata', field]))
  const content = (object: JsonObject): JsonObject => {
    const { metadata: _, status: _s, ...rest } = object
    return rest
  }
  if (isSame(content(before), content(after))) return after
  return withAt(after, ['metadata', 'generation'], Number(at(before, ['metadata', 'generation']) ?? 0) + 1)
}

type Save = { readonly object: JsonObject; readonly ownership: Ownership; readonly facts: WriteFacts; readonly isNew: boolean }

function save(objects: Objects, target: Target, { object, ownership, facts, isNew }: Save): Written {
  if (facts.dryRun) return { object, isNew }
  const key = keyOfObject(object)
  const isOver = textAt(object, 'metadata', 'deletionTimestamp') !== undefined && texts(at(object, ['metadata', 'finalizers'])).length === 0
  if (isOver && idOf(target) !== '/namespaces') return { object: objects.remove(idOf(target), key, object) ?? object, isNew }
  return { object: objects.put(idOf(target), key, { object, ownership }), isNew }
}

export function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter((each) => typeof each === 'string') : []
}

/** Marks or removes. `undefined`: it is gone. */
export function remove(
  objects: Objects,
  target: Target,
  { options, facts }: { readonly options: Json; readonly facts: WriteFacts },
): JsonObject | undefined {
  const current = standing(objects, target)
  for (const field of ['uid', 'resourceVersion']) {
    const wanted = textAt(options, 'preconditions', field)
    const actual = textAt(current.object, 'metadata', field)
    if (wanted !== undefined && wanted !== actual)
      throw new Refusal(409, 'Conflict', {
        message: `Precondition failed: ${field} in precondition: ${wanted}, ${field} in object meta: ${actual}`,
      })
  }
  if (facts.dryRun) return current.object
  const isNamespace = idOf(target) === '/namespaces'
  if (texts(at(current.object, ['metadata', 'finalizers'])).length === 0 && !isNamespace) {
    objects.remove(idOf(target), keyOfTarget(target))
    return undefined
  }
  if (textAt(current.object, 'metadata', 'deletionTimestamp') !== undefined) return current.object
  let marked = withAt(current.object, ['metadata', 'deletionTimestamp'], seconds(facts.now()))
  marked = withAt(marked, ['metadata', 'deletionGracePeriodSeconds'], 0)
  marked = withAt(marked, ['metadata', 'generation'], Number(at(marked, ['metadata', 'generation']) ?? 0) + 1)
  if (isNamespace) marked = withAt(marked, ['status', 'phase'], 'Terminating')
  return objects.put(idOf(target), keyOfTarget(target), { object: marked, ownership: current.ownership })
}
