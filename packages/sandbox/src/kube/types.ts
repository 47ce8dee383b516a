import type { JsonObject } from './json.ts'

/** An API server that a suite runs against: the scripted one, or a real one. */
export type KubeUnderTest = AsyncDisposable & {
  /** Path of a kubeconfig of an administrator. */
  readonly kubeconfig: string
}

/** Somebody whom the server knows by a bearer token. */
export type KubeUser = {
  readonly name: string
  readonly groups?: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
  /** Whom the token is meant for; default: the API server. */
  readonly audiences?: readonly string[]
}

export type KubeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete'

/** A request as it arrived. */
export type KubeLogEntry = {
  /** Counts from 0. */
  readonly index: number
  readonly atMs: number
  readonly user: string
  readonly verb: KubeVerb
  readonly method: string
  readonly group: string
  readonly plural: string
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
  readonly query: Readonly<Record<string, string>>
  readonly contentType?: string
  /** As text. */
  readonly body: string
  /** What was answered; 0 when the connection was broken instead. */
  status: number
}

/** Which requests a fault meets: all that match every field. */
export type KubeFaultMatch = {
  readonly verb?: KubeVerb | readonly KubeVerb[]
  readonly plural?: string
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
  readonly user?: string
}

export type KubeFaultEffect =
  /** Answer this and do nothing. */
  | { readonly kind: 'status'; readonly status: number; readonly reason: string; readonly message?: string; readonly retryAfterS?: number }
  /** Break the connection before doing anything. */
  | { readonly kind: 'reset' }
  /** Do it, and break the connection instead of answering. */
  | { readonly kind: 'resetAfter' }
  /** Wait before doing it. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Do it, and wait before answering. */
  | { readonly kind: 'delayAfter'; readonly ms: number }
  /** Never answer. */
  | { readonly kind: 'hang' }

export type KubeFault = {
  readonly match?: KubeFaultMatch
  readonly effect: KubeFaultEffect
  /** How many requests it meets; default: until it is disposed of. */
  readonly times?: number
  /** 0 to 1; default 1. */
  readonly probability?: number
}

/** How watches end that are open now. */
export type WatchEnd =
  /** As after `timeoutSeconds`. */
  | 'end'
  | 'reset'
  /** In the middle of a line. */
  | 'cut'
  /** An ERROR event of that code, then the end. */
  | 410
  | 429
  | 500
  /** Stays open; nothing comes any more, not even what happens. */
  | 'silent'
  /** A line that is no JSON. */
  | 'garbage'

export type SandboxKubeOptions = {
  /** 0 to 1, for faults with a probability. */
  readonly random?: () => number
  readonly now?: () => Date
  /** Whether lists come as watches (WatchList). Default yes. */
  readonly watchList?: boolean
  /** Objects that a page has at most, whatever limit the client sets. Default: its limit. */
  readonly pageMax?: number
  /** Between bookmarks of a watch. Default 60 s. */
  readonly bookmarkMs?: number
  /** How much later watches tell. Default 0. */
  readonly watchLagMs?: number
  /** Namespaces that stand from the beginning, besides `default` and `kube-system`. */
  readonly namespaces?: readonly string[]
  /** Answers a SubjectAccessReview; default: `system:masters` may do everything, others nothing. */
  readonly access?: (spec: JsonObject) => boolean
  /** Plurals that no CRD was made for yet: 404 in plain text. */
  readonly unserved?: readonly string[]
}

export type SandboxKube = KubeUnderTest & {
  readonly url: string
  /** A kubeconfig of somebody who is made with it. */
  kubeconfigOf(user: KubeUser): string
  /** A bearer token. Without `user` of the administrator. */
  token(user?: KubeUser): string
  /** No longer known: 401. */
  revoke(token: string): void
  readonly log: readonly KubeLogEntry[]
  clearLog(): void
  fault(fault: KubeFault): Disposable
  /** Ends watches that are open now; returns how many. */
  endWatches(how: WatchEnd, plural?: string): number
  openWatches(plural?: string): number
  /** Sends a bookmark on every watch that wants them. */
  bookmark(): void
  /** Forgets the past: watches from an older version, and continuations of lists, are answered 410. */
  compact(): void
  /** Moves the version on without a change. */
  tick(): void
  setWatchLag(ms: number): void
  setWatchList(isOn: boolean): void
  setServed(plural: string, isServed: boolean): void
  /** Breaks all connections and refuses new ones until it is started again; objects stay. */
  stop(): Promise<void>
  start(): Promise<void>

  /** Behind the API: what stands, by plural (`cloudsigmamachines`) and key (`namespace/name`). */
  get(plural: string, key: string): JsonObject | undefined
  list(plural: string, namespace?: string): JsonObject[]
  /** Every object, for searching. */
  everything(): JsonObject[]
  /** Behind the API: creates or replaces an object, status and all. `kind` and `apiVersion` stand in it. */
  put(plural: string, object: object): JsonObject
  /** Behind the API: removes it, finalizers or not. */
  remove(plural: string, key: string): void
}
