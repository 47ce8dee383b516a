import { AssertionError, assert } from '@ascribe/kit'
import { keyOf, keyText } from '../objects.ts'
import type { KubeObject, ObjectKey } from '../objects.ts'
import type { Change, Indexes } from './types.ts'

type Index<T extends KubeObject> = {
  readonly valuesOf: (object: T) => readonly string[]
  readonly entries: Map<string, Map<string, T>>
}

/** Objects by key and by index. Objects go in frozen and never change; a change replaces them. */
export type Store<T extends KubeObject> = {
  get(key: ObjectKey): T | undefined
  list(namespace?: string): T[]
  byIndex(name: string, value: string): T[]
  addIndexes(indexes: Indexes<T>): void
  /** `undefined` when nothing changed. */
  put(object: T): Change<T> | undefined
  remove(object: T): Change<T> | undefined
  /** Makes the store hold exactly `objects`. What is missing from them was deleted while nobody looked. */
  replace(objects: readonly T[]): Change<T>[]
  size(): number
}

export function createStore<T extends KubeObject>(): Store<T> {
  const objects = new Map<string, T>()
  const indexes = new Map<string, Index<T>>()

  function reindex(key: string, { previous, object }: { previous?: T | undefined; object?: T | undefined }): void {
    for (const index of indexes.values()) {
      if (previous !== undefined) for (const value of index.valuesOf(previous)) drop(index, value, key)
      if (object !== undefined) for (const value of index.valuesOf(object)) add(index, { value, key, object })
    }
  }

  function put(object: T): Change<T> | undefined {
    const key = keyText(keyOf(object))
    const previous = objects.get(key)
    if (previous !== undefined && isSame(previous, object)) return undefined
    const frozen = prepare(object)
    objects.set(key, frozen)
    reindex(key, { previous, object: frozen })
    return previous === undefined
      ? { type: 'added', object: frozen, isInitial: false }
      : { type: 'updated', object: frozen, previous, isInitial: false }
  }

  function remove(object: T): Change<T> | undefined {
    const key = keyText(keyOf(object))
    const previous = objects.get(key)
    if (previous === undefined) return undefined
    objects.delete(key)
    reindex(key, { previous })
    return { type: 'deleted', object: prepare(object), isInitial: false }
  }

  return {
    get: (key) => objects.get(keyText(key)),
    list: (namespace) => {
      const all = [...objects.values()]
      return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace)
    },
    byIndex(name, value) {
      const index = indexes.get(name)
      if (index === undefined) throw new AssertionError(`there is no index ${name}`)
      return [...(index.entries.get(value)?.values() ?? [])]
    },
    addIndexes(added) {
      for (const [name, valuesOf] of Object.entries(added)) {
        const known = indexes.get(name)
        assert(known === undefined || known.valuesOf === valuesOf, `index ${name} means two things`)
        if (known !== undefined) continue
        const index: Index<T> = { valuesOf, entries: new Map() }
        indexes.set(name, index)
        for (const [key, object] of objects) for (const value of valuesOf(object)) add(index, { value, key, object })
      }
    },
    put,
    remove,
    replace(now) {
      const kept = new Set(now.map((object) => keyText(keyOf(object))))
      const gone = [...objects].filter(([key]) => !kept.has(key)).map(([, object]) => object)
      return [...gone.map(remove), ...now.map(put)].filter((change) => change !== undefined)
    },
    size: () => objects.size,
  }
}

function add<T extends KubeObject>(index: Index<T>, { value, key, object }: { value: string; key: string; object: T }): void {
  const entries = index.entries.get(value)
  if (entries === undefined) index.entries.set(value, new Map([[key, object]]))
  else entries.set(key, object)
}

function drop<T extends KubeObject>(index: Index<T>, value: string, key: string): void {
  const entries = index.entries.get(value)
  entries?.delete(key)
  if (entries?.size === 0) index.entries.delete(value)
}

/** The same version of the same object: versions are compared for equality only. */
function isSame(one: KubeObject, other: KubeObject): boolean {
  return one.metadata.resourceVersion === other.metadata.resourceVersion && one.metadata.uid === other.metadata.uid
}

/**
 * Without `managedFields`, which are often half of an object and concern nobody here; frozen, because all readers share it: one who
 * changed it would change the world for the others.
 */
function prepare<T extends KubeObject>(object: T): T {
  if (Object.isFrozen(object)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return freeze({ ...object, metadata })
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const field of Object.values(value)) freeze(field)
  return Object.freeze(value)
}
