import type { KubeObject } from '../objects.ts'

export type EventNote = {
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, stable, up to 128 characters. */
  readonly reason: string
  /** For people; cut at 1,024 characters. No secrets. */
  readonly note: string
  /** What was done or tried, UpperCamelCase; default `Reconcile`. */
  readonly action?: string
}

/** Writes events.k8s.io/v1 events in the background; never fails, never waits. Disposing writes what is left, within 5 s. */
export type EventRecorder = AsyncDisposable & {
  /** The same reason, note and object again is counted in a series; more than 25 at once for an object, then one each 5 min, are dropped and counted. */
  record(regarding: KubeObject, note: EventNote): void
  /** Resolves when everything recorded so far was written or given up. */
  flush(): Promise<void>
}
