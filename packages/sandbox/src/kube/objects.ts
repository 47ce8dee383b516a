import { isSame, textAt, withAt } from './json.ts'
import type { JsonObject } from './json.ts'
import type { Ownership } from './ownership.ts'
import { expired } from './refusal.ts'

/** `group/plural`: versions share their objects. */
export type ResourceId = string

/** One change, as watches tell it. */
export type Happened = {
  readonly revision: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: JsonObject
  /** What it was, for selectors that it left or joined. */
  readonly before: JsonObject | undefined
}

type Stored = { readonly object: JsonObject; readonly ownership: Ownership }
type Collection = { readonly objects: Map<string, Stored>; readonly history: Happened[] }

/** Watches can go back so many changes of a resource. */
const HISTORY_MAX = 20_000

/** What etcd holds: objects, a counter of changes, and the latest of them. */
export class Objects {
  #revision = 1
  #oldest = 0
  readonly #collections = new Map<ResourceId, Collection>()
  readonly #listeners = new Set<(id: ResourceId, happened: Happened) => void>()

  get revision(): number {
    return this.#revision
  }

  get(id: ResourceId, key: string): Stored | undefined {
    return this.#collections.get(id)?.objects.get(key)
  }

  list(id: ResourceId): JsonObject[] {
    return [...(this.#collections.get(id)?.objects.entries() ?? [])]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, { object }]) => object)
  }

  /** Every object of every resource. */
  all(): { readonly id: ResourceId; readonly key: string; readonly object: JsonObject }[] {
    return [...this.#collections].flatMap(([id, { objects }]) => [...objects].map(([key, { object }]) => ({ id, key, object })))
  }

  /** Stores a new state; unchanged is no change. Gives the object with its version. */
  put(id: ResourceId, key: string, stored: Stored): JsonObject {
    const collection = this.#collection(id)
    const before = collection.objects.get(key)
    if (before !== undefined && isSame(before.object, stored.object)) {
      collection.objects.set(key, { ...stored, object: before.object })
      return before.object
    }
    const object = this.#stamped(stored.object)
    collection.objects.set(key, { object, ownership: stored.ownership })
    this.#tell(id, { revision: this.#revision, type: before === undefined ? 'ADDED' : 'MODIFIED', object, before: before?.object })
    return object
  }

  remove(id: ResourceId, key: string, last?: JsonObject): JsonObject | undefined {
    const collection = this.#collection(id)
    const before = collection.objects.get(key)
    if (before === undefined) return undefined
    collection.objects.delete(key)
    const object = this.#stamped(last ?? before.object)
    this.#tell(id, { revision: this.#revision, type: 'DELETED', object, before: before.object })
    return object
  }

  /** Changes after `revision`. @throws {Refusal} 410 when they are forgotten. */
  since(id: ResourceId, revision: number): Happened[] {
    if (revision < this.#oldest) throw expired()
    return this.#collection(id).history.filter((happened) => happened.revision > revision)
  }

  /** Forgets what happened until now: watches and lists that begin earlier are too old. */
  compact(): void {
    this.#oldest = this.#revision
    for (const { history } of this.#collections.values()) history.length = 0
  }

  /** Moves the version on, as changes of other resources do all the time. */
  tick(): number {
    return ++this.#revision
  }

  onChange(listener: (id: ResourceId, happened: Happened) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #stamped(object: JsonObject): JsonObject {
    this.#revision += 1
    return withAt(object, ['metadata', 'resourceVersion'], String(this.#revision))
  }

  #tell(id: ResourceId, happened: Happened): void {
    const { history } = this.#collection(id)
    history.push(happened)
    if (history.length > HISTORY_MAX) {
      history.splice(0, HISTORY_MAX / 2)
      this.#oldest = Math.max(this.#oldest, (history[0]?.revision ?? 1) - 1)
    }
    for (const listener of this.#listeners) listener(id, happened)
  }

  #collection(id: ResourceId): Collection {
    const known = this.#collections.get(id)
    if (known !== undefined) return known
    const made: Collection = { objects: new Map(), history: [] }
    this.#collections.set(id, made)
    return made
  }
}

/** `namespace/name`, or `name`. */
export function keyOfObject(object: JsonObject): string {
  const name = textAt(object, 'metadata', 'name') ?? ''
  const namespace = textAt(object, 'metadata', 'namespace')
  return namespace === undefined ? name : `${namespace}/${name}`
}
