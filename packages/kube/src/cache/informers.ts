import { silentLogger, silentMeters, toAscribeError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { systemClocks, waitFor } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import type { KubeConnection } from '../connection/types.ts'
import { CacheSyncError } from '../errors.ts'
import { apiVersionOf } from '../objects.ts'
import type { KubeObject, Resource } from '../objects.ts'
import { createReflectorMeters } from './meters.ts'
import { runReflector } from './reflector.ts'
import { createStore } from './store.ts'
import type { Change, Indexes, Informer, InformerOptions, Informers } from './types.ts'

export type InformersOptions = {
  readonly connection: KubeConnection
  /** Of every namespaced resource, unless its informer says otherwise. Default: all. */
  readonly namespace?: string
  readonly clocks?: Clocks
  /** 0 to 1, for jitter. */
  readonly random?: () => number
  readonly logger?: Logger
  readonly meters?: Meters
}

const SYNC_MS = 120_000

type Entry<T extends KubeObject> = {
  readonly informer: Informer<T>
  readonly addIndexes: (indexes: Indexes<T>) => void
  readonly synced: Promise<void>
  readonly done: Promise<void>
}

/** Makes no request before the first informer is asked for. */
export function createInformers(options: InformersOptions): Informers {
  const clocks = options.clocks ?? systemClocks
  const stop = new AbortController()
  const entries = new Map<string, AnyEntry>()

  function start<T extends KubeObject>(resource: Resource<T>, selected: InformerOptions<T>): Entry<T> {
    const { informer, sink, addIndexes, synced } = createCache(resource, { clocks, logger: options.logger ?? silentLogger })
    const { namespace, labelSelector, fieldSelector } = selected
    const done = runReflector(
      {
        connection: options.connection,
        resource,
        sink,
        clocks,
        random: options.random ?? Math.random,
        logger: options.logger ?? silentLogger,
        meters: createReflectorMeters(options.meters ?? silentMeters),
        ...(namespace !== undefined && { namespace }),
        ...(labelSelector !== undefined && { labelSelector }),
        ...(fieldSelector !== undefined && { fieldSelector }),
      },
      stop.signal,
    )
    return { informer, addIndexes, synced, done }
  }

  return {
    informer<T extends KubeObject>(resource: Resource<T>, asked: InformerOptions<T> = {}) {
      const namespace = resource.namespaced ? (asked.namespace ?? options.namespace) : undefined
      const key = JSON.stringify([apiVersionOf(resource), resource.plural, namespace, asked.labelSelector, asked.fieldSelector])
      // Group, version and plural are in the key, so the objects are those of `resource`.
      let entry = entries.get(key) as Entry<T> | undefined
      if (entry === undefined) {
        entry = start(resource, { ...asked, ...(namespace !== undefined && { namespace }) })
        entries.set(key, entry)
      }
      entry.addIndexes(asked.indexes ?? {})
      return entry.informer
    },
    async synced({ timeoutMs = SYNC_MS, signal } = {}) {
      const waiting = new AbortController()
      const ends = signal === undefined ? waiting.signal : AbortSignal.any([waiting.signal, signal])
      const all = Promise.all([...entries.values()].map(({ synced }) => synced))
      const late = waitFor(clocks, timeoutMs, ends).then(() => {
        const missing = [...entries.values()]
          .filter(({ informer }) => !informer.hasSynced())
          .map(({ informer }) => informer.resource.plural)
        throw new CacheSyncError(`Cannot start: the caches of ${missing.join(', ')} were not filled within ${timeoutMs} ms`)
      })
      try {
        await Promise.race([all, late])
      } finally {
        waiting.abort()
        late.catch(() => {})
      }
    },
    hasSynced: () => [...entries.values()].every(({ informer }) => informer.hasSynced()),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all([...entries.values()].map(({ done }) => done))
    },
  }
}

/** What does not depend on the type of the objects. */
type AnyEntry = Pick<Entry<KubeObject>, 'synced' | 'done'> & { readonly informer: Pick<Informer, 'hasSynced' | 'resource'> }

type Cache<T extends KubeObject> = Pick<Entry<T>, 'informer' | 'addIndexes' | 'synced'> & {
  readonly sink: Parameters<typeof runReflector<T>>[0]['sink']
}

function createCache<T extends KubeObject>(resource: Resource<T>, { clocks, logger }: { clocks: Clocks; logger: Logger }): Cache<T> {
  const store = createStore<T>()
  const handlers = new Set<(change: Change<T>) => void>()
  const { promise: synced, resolve } = Promise.withResolvers<void>()
  let hasSynced = false
  let heardAt = clocks.monotonic()

  function tell(change: Change<T>): void {
    for (const handler of handlers) call(handler, change)
  }
  function call(handler: (change: Change<T>) => void, change: Change<T>): void {
    try {
      handler(change)
    } catch (thrown) {
      // One handler's bug must not cost the others the change, nor end the watch.
      logger.error('handler of changes failed', { resource: resource.plural, error: toAscribeError(thrown) })
    }
  }

  return {
    synced,
    addIndexes: (indexes) => store.addIndexes(indexes),
    informer: {
      resource,
      get: (key) => store.get(key),
      list: (namespace) => store.list(namespace),
      byIndex: (index, value) => store.byIndex(index, value),
      hasSynced: () => hasSynced,
      silentMs: () => clocks.monotonic() - heardAt,
      onChange(handler) {
        handlers.add(handler)
        for (const object of store.list()) call(handler, { type: 'added', object, isInitial: true })
        return () => void handlers.delete(handler)
      },
    },
    sink: {
      replace(objects) {
        const isInitial = !hasSynced
        const changes = store.replace(objects)
        hasSynced = true
        for (const change of changes) tell({ ...change, isInitial })
        resolve()
      },
      put(object) {
        const change = store.put(object)
        if (change !== undefined) tell(change)
      },
      remove(object) {
        const change = store.remove(object)
        if (change !== undefined) tell(change)
      },
      heard() {
        heardAt = clocks.monotonic()
      },
    },
  }
}
