import { randomUUID } from 'node:crypto'
import { assert, silentLogger, silentMeters, toAscribeError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import type { Change, Informer } from '../cache/types.ts'
import { systemClocks, waitFor } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import { CacheSyncError } from '../errors.ts'
import { keyOf, keyText, parseKey } from '../objects.ts'
import type { KubeObject, ObjectKey } from '../objects.ts'
import { createKeyBackoff } from '../queue/key-backoff.ts'
import type { KeyBackoff } from '../queue/key-backoff.ts'
import { createWorkQueue } from '../queue/work-queue.ts'
import type { WorkQueue } from '../queue/work-queue.ts'
import { createControllerMeters } from './meters.ts'
import type { ControllerMeters } from './meters.ts'
import { reconcileOnce } from './reconcile-once.ts'
import type { Controller, EnqueueOptions, Reconcile, WatchOptions } from './types.ts'

export type ControllerOptions = {
  /** In logs and metrics, for example `cloudsigmamachine`. */
  readonly name: string
  readonly reconcile: Reconcile
  /** Keys that are worked on at a time. Default 1. */
  readonly concurrency?: number
  /** Who shares a part of the workers, usually the tenant. Default: all keys are one group. */
  readonly groupOf?: (key: ObjectKey) => string
  /** Keys of one group at a time. Default: half of `concurrency`, rounded up, when there are groups. */
  readonly groupMax?: number
  /** After so long the signal of a run aborts. Default 5 min. */
  readonly timeoutMs?: number
  /** How long workers may take to finish at shutdown before their signals abort. Default 30 s. */
  readonly graceMs?: number
  /** Default 2 min. */
  readonly cacheSyncTimeoutMs?: number
  readonly clocks?: Clocks
  /** 0 to 1, for jitter. */
  readonly random?: () => number
  readonly logger?: Logger
  readonly meters?: Meters
}

const TIMEOUT_MS = 300_000
const GRACE_MS = 30_000
const SYNC_MS = 120_000
/** What fills a cache is less urgent than what happens: after a restart a new machine does not wait behind ten thousand old ones. */
const INITIAL_PRIORITY = -100
const LOOK_MS = 5000
const SYNC_LOOK_MS = 20

export function createController(options: ControllerOptions): Controller {
  const { name, concurrency = 1, groupOf } = options
  assert(concurrency >= 1, `controller ${name} needs at least one worker`)
  const clocks = options.clocks ?? systemClocks
  const queue = createWorkQueue({
    clocks,
    groupMax: options.groupMax ?? (groupOf === undefined ? concurrency : Math.ceil(concurrency / 2)),
    ...(groupOf !== undefined && { groupOf: (key: string) => groupOf(parseKey(key)) }),
  })
  const meters = createControllerMeters(options.meters ?? silentMeters, { name, concurrency })
  const shared: Shared = {
    name,
    clocks,
    queue,
    meters,
    backoff: createKeyBackoff(options.random ?? Math.random),
    logger: (options.logger ?? silentLogger).child({ controller: name }),
    reconcile: options.reconcile,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    giveUp: new AbortController(),
  }
  const watched: Pick<Informer, 'hasSynced' | 'resource'>[] = []
  const watches: (() => () => void)[] = []

  function enqueue(key: ObjectKey, wish: EnqueueOptions = {}): void {
    meters.added()
    queue.add(keyText(key), wish)
    meters.depth(queue.depth().ready)
  }

  return {
    name,
    watch(informer, wish = {}) {
      watched.push(informer)
      watches.push(() => informer.onChange((change) => enqueueChange(change, { enqueue, wish })))
    },
    enqueue,
    depth: () => queue.depth(),
    async run(signal) {
      await cachesFilled(watched, { ...shared, timeoutMs: options.cacheSyncTimeoutMs ?? SYNC_MS, signal })
      if (signal.aborted) return
      const stops = watches.map((start) => start())
      try {
        await work(shared, { concurrency, graceMs: options.graceMs ?? GRACE_MS, signal })
      } finally {
        for (const stop of stops) stop()
      }
    },
  }
}

export type Shared = {
  readonly name: string
  readonly clocks: Clocks
  readonly queue: WorkQueue
  readonly meters: ControllerMeters
  readonly backoff: KeyBackoff
  readonly logger: Logger
  readonly reconcile: Reconcile
  readonly timeoutMs: number
  /** Aborts the runs that are still at it when the grace period is over. */
  readonly giveUp: AbortController
}

type Enqueue = (key: ObjectKey, wish?: EnqueueOptions) => void

function enqueueChange<T extends KubeObject>(change: Change<T>, { enqueue, wish }: { enqueue: Enqueue; wish: WatchOptions<T> }): void {
  if (wish.when?.(change) === false) return
  const { map } = wish
  const options = change.isInitial ? { priority: INITIAL_PRIORITY } : {}
  if (map === undefined) return enqueue(keyOf(change.object), options)
  const keys = new Map<string, ObjectKey>()
  // Whom it concerned before is concerned too: the change may be that it no longer does.
  for (const object of change.previous === undefined ? [change.object] : [change.previous, change.object])
    for (const key of map(object, change)) keys.set(keyText(key), key)
  for (const key of keys.values()) enqueue(key, options)
}

type Filling = { readonly clocks: Clocks; readonly name: string; readonly timeoutMs: number; readonly signal: AbortSignal }

async function cachesFilled(watched: readonly Pick<Informer, 'hasSynced' | 'resource'>[], filling: Filling): Promise<void> {
  const { clocks, name, timeoutMs, signal } = filling
  const end = clocks.monotonic() + timeoutMs
  for (;;) {
    const missing = watched.filter((informer) => !informer.hasSynced())
    if (missing.length === 0 || signal.aborted) return
    const names = missing.map(({ resource }) => resource.plural).join(', ')
    if (clocks.monotonic() >= end)
      throw new CacheSyncError(`Cannot start controller ${name}: the caches of ${names} were not filled within ${timeoutMs} ms`)
    await waitFor(clocks, SYNC_LOOK_MS, signal).catch(() => {})
  }
}

type Working = { readonly concurrency: number; readonly graceMs: number; readonly signal: AbortSignal }

async function work(shared: Shared, { concurrency, graceMs, signal }: Working): Promise<void> {
  const { clocks, queue, meters, giveUp, logger } = shared
  const workers = Promise.all(Array.from({ length: concurrency }, () => workerLoop(shared)))
  let looking = clocks.timer(LOOK_MS, function look() {
    meters.look()
    looking = clocks.timer(LOOK_MS, look)
  })
  let grace: Disposable | undefined
  const onAbort = (): void => {
    queue.shutDown()
    grace = clocks.timer(graceMs, () => {
      logger.warn('grace period is over, giving up what is not finished', { active: queue.depth().active })
      giveUp.abort(new Error('The process is shutting down'))
    })
  }
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await workers
  } finally {
    signal.removeEventListener('abort', onAbort)
    grace?.[Symbol.dispose]()
    looking[Symbol.dispose]()
    meters.look()
  }
}

async function workerLoop(shared: Shared): Promise<void> {
  const { queue, meters } = shared
  for (let taken = await queue.take(); taken !== undefined; taken = await queue.take()) {
    meters.depth(queue.depth().ready)
    try {
      await reconcileOnce(shared, { taken, reconcileId: randomUUID() })
    } catch (thrown) {
      // reconcileOnce catches what reconcilers throw; this is a bug of ours, and one key must not cost a worker.
      shared.logger.error('controller failed', { key: taken.key, error: toAscribeError(thrown) })
    } finally {
      queue.done(taken.key)
    }
  }
}
