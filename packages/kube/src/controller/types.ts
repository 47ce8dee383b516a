import type { Logger } from '@ascribe/kit'
import type { Change, Informer } from '../cache/types.ts'
import type { KubeObject, ObjectKey } from '../objects.ts'

/** What a reconciler says when it did not fail. Empty: nothing more to do until something changes. */
export type Result = {
  /** Look again after so long (at least 1 ms); the back-off of the key is forgotten. */
  readonly requeueAfterMs?: number
  /** Look again with back-off, as after an error, which it is not. */
  readonly requeue?: boolean
}

export type ReconcileContext = {
  /** Aborts when the controller gives up on this run: its timeout, or the end of the grace at shutdown. */
  readonly signal: AbortSignal
  /** Has controller, object and reconcileID as fields. */
  readonly logger: Logger
  readonly reconcileId: string
}

/** Brings one object to what it should be. Level-based: it reads the world and never asks why it was called. */
export type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<Result>

export type WatchOptions<T extends KubeObject> = {
  /** Which objects of this controller a change concerns. Default: the object itself. */
  readonly map?: (object: T, change: Change<T>) => Iterable<ObjectKey>
  /** Changes that are looked at. Default: all. */
  readonly when?: (change: Change<T>) => boolean
}

export type EnqueueOptions = {
  /** Higher first. Default 0; first filling of caches and resyncs −100. */
  readonly priority?: number
  readonly afterMs?: number
}

/** One work queue, its workers, and the reconciler they call. */
export type Controller = {
  readonly name: string
  /** Before {@link Controller.run}: enqueues what changes of an informer concern. */
  watch<T extends KubeObject>(informer: Informer<T>, options?: WatchOptions<T>): void
  enqueue(key: ObjectKey, options?: EnqueueOptions): void
  /**
   * Waits for the watched caches, then works until `signal` aborts; then takes nothing new, lets workers finish for the grace
   * period, aborts the rest, and resolves. @throws {CacheSyncError}
   */
  run(signal: AbortSignal): Promise<void>
  /** Keys that wait, are delayed, or are worked on. For tests and health. */
  depth(): { readonly ready: number; readonly delayed: number; readonly active: number }
}
