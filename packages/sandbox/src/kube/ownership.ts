import { isObject, isSame } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import { Refusal } from './refusal.ts'

/**
 * Who owns which leaf of an object: `manager`, how it wrote, and through which subresource. Good enough for managers that apply whole
 * fields: maps are granular, lists are atomic but for those below. The real server is the judge of everything else.
 */
export type Owner = { readonly manager: string; readonly operation: 'Apply' | 'Update'; readonly subresource: string }
export type Ownership = ReadonlyMap<string, { readonly owner: Owner; readonly leaves: ReadonlySet<string> }>

/** `listType: map` in the CRDs of ours and in metadata: by this key. `finalizers` is a set of its own values. */
const LIST_KEYS: Readonly<Record<string, string>> = { conditions: 'type', ownerReferences: 'uid' }
const SETS: ReadonlySet<string> = new Set(['finalizers'])
/** Not fields that anybody owns. */
const IDENTITY: ReadonlySet<string> = new Set(['apiVersion', 'kind'])
const META_IDENTITY: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'generateName',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
])

const ownerId = ({ manager, operation, subresource }: Owner): string => JSON.stringify([manager, operation, subresource])

type Leaves = Map<string, Json>

/** The leaves of an object: path, as JSON, to value. */
function leavesOf(object: JsonObject): Leaves {
  const leaves: Leaves = new Map()
  for (const [name, value] of Object.entries(object)) {
    if (IDENTITY.has(name)) continue
    if (name !== 'metadata') collect(value, [name], leaves)
    else if (isObject(value))
      for (const [field, inner] of Object.entries(value)) if (!META_IDENTITY.has(field)) collect(inner, [name, field], leaves)
  }
  return leaves
}

function collect(value: Json, path: readonly string[], leaves: Leaves): void {
  const name = path.at(-1) ?? ''
  const key = LIST_KEYS[name]
  if (isObject(value) && Object.keys(value).length > 0) {
    for (const [field, inner] of Object.entries(value)) collect(inner, [...path, field], leaves)
  } else if (Array.isArray(value) && key !== undefined && value.every((item) => isObject(item) && typeof item[key] === 'string')) {
    for (const item of value as readonly JsonObject[])
      for (const [field, inner] of Object.entries(item)) collect(inner, [...path, `[${textOf(item[key])}]`, field], leaves)
  } else if (Array.isArray(value) && SETS.has(name)) {
    for (const item of value as readonly Json[]) leaves.set(JSON.stringify([...path, `=${textOf(item)}`]), item)
  } else leaves.set(JSON.stringify(path), value)
}

/** Sets a leaf, or removes it with `undefined`. */
function setLeaf(target: Json | undefined, path: readonly string[], value: Json | undefined): Json | undefined {
  const [part, ...rest] = path
  // An empty map that is applied says that there is one, not that what others have put into it goes.
  if (part === undefined) return isObject(value) && isObject(target) ? target : value
  if (part.startsWith('=')) {
    const items = Array.isArray(target) ? (target as readonly Json[]) : []
    const others = items.filter((item) => textOf(item) !== part.slice(1))
    if (value === undefined) return others.length === 0 ? undefined : others
    return items.length === others.length ? [...items, value] : items
  }
  const object = isObject(target) ? target : {}
  if (rest[0]?.startsWith('[') === true) {
    const [itemKey = '', ...inside] = rest
    const list = setInList(object[part], { name: part, itemKey, inside, value })
    return list === undefined ? without(object, part) : { ...object, [part]: list }
  }
  const inner = setLeaf(object[part], rest, value)
  if (inner === undefined) return without(object, part)
  return { ...object, [part]: inner }
}

function setInList(
  list: Json | undefined,
  where: { name: string; itemKey: string; inside: readonly string[]; value: Json | undefined },
): Json | undefined {
  const key = LIST_KEYS[where.name] ?? ''
  const wanted = where.itemKey.slice(1, -1)
  const items = Array.isArray(list) ? [...(list as readonly JsonObject[])] : []
  const index = items.findIndex((item) => item[key] === wanted)
  const changed = setLeaf(index < 0 ? {} : items[index], where.inside, where.value) as JsonObject
  // An item without its key has lost its last owner.
  const isGone = Object.keys(changed).length === 0 || (where.value === undefined && changed[key] === undefined)
  if (isGone) items.splice(index, index < 0 ? 0 : 1)
  else if (index < 0) items.push(changed)
  else items[index] = changed
  return items.length === 0 ? undefined : items
}

function without(object: JsonObject, name: string): JsonObject {
  const { [name]: _, ...others } = object
  return others
}

const parsePath = (leaf: string): readonly string[] => JSON.parse(leaf) as readonly string[]

export type Applied = { readonly object: JsonObject; readonly ownership: Ownership }

/** Server-side apply of `config` by `owner`. @throws {Refusal} 409 with the fields that others own, unless forced. */
export function applyConfig(
  current: { readonly object: JsonObject; readonly ownership: Ownership },
  { config, owner, force }: { readonly config: JsonObject; readonly owner: Owner; readonly force: boolean },
): Applied {
  const wanted = leavesOf(config)
  const standing = leavesOf(current.object)
  const others = [...current.ownership.values()].filter((each) => ownerId(each.owner) !== ownerId(owner))
  const conflicts = [...wanted].flatMap(([leaf, value]) =>
    isSame(standing.get(leaf), value) ? [] : others.filter(({ leaves }) => leaves.has(leaf)).map((each) => ({ leaf, owner: each.owner })),
  )
  if (conflicts.length > 0 && !force) throw conflictOf(conflicts)
  let object: Json | undefined = current.object
  const before = current.ownership.get(ownerId(owner))?.leaves ?? new Set<string>()
  for (const leaf of before) {
    if (wanted.has(leaf) || others.some(({ leaves }) => leaves.has(leaf))) continue
    object = setLeaf(object, parsePath(leaf), undefined)
  }
  for (const [leaf, value] of wanted) object = setLeaf(object, parsePath(leaf), value)
  const ownership = new Map(current.ownership)
  const taken = new Set(conflicts.map(({ leaf }) => leaf))
  for (const each of others) ownership.set(ownerId(each.owner), { owner: each.owner, leaves: each.leaves.difference(taken) })
  ownership.set(ownerId(owner), { owner, leaves: new Set(wanted.keys()) })
  return { object: object as JsonObject, ownership: tidy(ownership) }
}

/** After a write that was no apply: what changed belongs to who changed it. */
export function ownUpdate(
  ownership: Ownership,
  change: { readonly before: JsonObject; readonly after: JsonObject; readonly owner: Owner },
): Ownership {
  const [before, after] = [leavesOf(change.before), leavesOf(change.after)]
  const changed = new Set([...after].filter(([leaf, value]) => !isSame(before.get(leaf), value)).map(([leaf]) => leaf))
  const removed = new Set([...before.keys()].filter((leaf) => !after.has(leaf)))
  const result = new Map<string, { owner: Owner; leaves: ReadonlySet<string> }>()
  for (const [id, { owner, leaves }] of ownership) result.set(id, { owner, leaves: leaves.difference(changed).difference(removed) })
  const id = ownerId(change.owner)
  result.set(id, { owner: change.owner, leaves: (result.get(id)?.leaves ?? new Set<string>()).union(changed) })
  return tidy(result)
}

function tidy(ownership: Ownership): Ownership {
  return new Map([...ownership].filter(([, { leaves }]) => leaves.size > 0))
}

function conflictOf(conflicts: readonly { readonly leaf: string; readonly owner: Owner }[]): Refusal {
  const causes = conflicts.map(({ leaf, owner }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${owner.manager}"`,
    field: `.${parsePath(leaf).join('.')}`,
  }))
  const message = `Apply failed with ${causes.length} conflict: ${causes.map((cause) => `${cause.message}: ${cause.field}`).join(', ')}`
  return new Refusal(409, 'Conflict', { message, details: { causes } })
}

/** Keys of lists and members of sets are strings in every schema of ours. */
function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
