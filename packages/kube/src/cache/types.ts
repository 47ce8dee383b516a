import type { KubeObject, ObjectKey, Resource } from '../objects.ts'

/** What happened to one object in a cache. Not what to do about it: reconcilers read the world. */
export type Change<T extends KubeObject = KubeObject> = {
  readonly type: 'added' | 'updated' | 'deleted'
  /** As it is now; of a deletion, the last that was seen. */
  readonly object: T
  /** Of an update. */
  readonly previous?: T
  /** Part of the first filling of the cache: less urgent than what happens afterwards. */
  readonly isInitial: boolean
}

/** Index functions: the values under which an object is found. */
export type Indexes<T extends KubeObject> = Readonly<Record<string, (object: T) => readonly string[]>>

export type InformerOptions<T extends KubeObject> = {
  /** Default: that of `createInformers`, else all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly indexes?: Indexes<T>
}

/** A cache of all objects of one resource that a selector takes, kept current by a watch. Objects are shared and frozen: copy, never change. */
export type Informer<T extends KubeObject = KubeObject> = {
  readonly resource: Resource<T>
  get(key: ObjectKey): T | undefined
  /** In no order. */
  list(namespace?: string): readonly T[]
  /** @throws AssertionError for an index that nobody declared. */
  byIndex(index: string, value: string): readonly T[]
  /** Whether the cache has been filled once. */
  hasSynced(): boolean
  /** Milliseconds since the server was last heard of on this watch (list, event, bookmark). */
  silentMs(): number
  /** Called after the cache has changed, also for what stands in it already (as `added`, initial). Must not throw. Returns how to stop. */
  onChange(handler: (change: Change<T>) => void): () => void
}

/** The caches of a process: one for each resource and selector, shared by all who ask. Disposing stops the watches. */
export type Informers = AsyncDisposable & {
  /** Starts watching when it is first asked for. Indexes of later callers are added. */
  informer<T extends KubeObject>(resource: Resource<T>, options?: InformerOptions<T>): Informer<T>
  /** Resolves when all that were asked for so far have synced. @throws {CacheSyncError} after `timeoutMs`, default 2 min. */
  synced(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  hasSynced(): boolean
}
