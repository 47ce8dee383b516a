import type { KubeObject, ObjectKey, Resource } from '../objects.ts'

/** What every call takes. */
export type KubeCallOptions = {
  readonly signal?: AbortSignal
  /** For all of the call. Default 30 s. */
  readonly deadlineMs?: number
}

export type WriteOptions = KubeCallOptions & {
  /** Name under which the server books the fields. */
  readonly fieldManager?: string
  /** Validate, admit, answer, and keep nothing. */
  readonly dryRun?: boolean
}

export type ApplyOptions = WriteOptions & {
  readonly fieldManager: string
  /** Take fields from other managers. Default: no, then a field of another manager is a `Conflict`. */
  readonly force?: boolean
}

export type ListOptions = KubeCallOptions & {
  /** Default: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects a page; default 500. */
  readonly pageSize?: number
  /** `'0'` lets the server answer from its cache, which may be old. Default: the newest. */
  readonly resourceVersion?: string
}

export type DeleteOptions = KubeCallOptions & {
  /** Only this object, not one that took its name; else `Conflict`. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
  readonly dryRun?: boolean
}

export type KubeList<T extends KubeObject> = { readonly items: readonly T[]; readonly resourceVersion: string }

/** RFC 6902. */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string }

/** `merge`: RFC 7386, `null` removes. `json`: RFC 6902, whole or not at all; a `test` that fails is `Invalid`. */
export type Patch =
  | { readonly type: 'merge'; readonly body: object }
  | { readonly type: 'json'; readonly body: readonly JsonPatchOperation[] }

/** Object as it is sent: `kind` and `apiVersion` come from the resource. */
export type Draft = { readonly metadata: object; readonly [field: string]: unknown } | KubeObject

/** authorization.k8s.io/v1 SubjectAccessReview, its spec. */
export type AccessReviewSpec = {
  readonly user: string
  readonly groups?: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
  readonly resourceAttributes?: {
    readonly verb: string
    readonly group?: string
    readonly version?: string
    readonly resource: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string }
}
export type AccessReview = { readonly allowed: boolean; readonly denied: boolean; readonly reason: string }

/** authentication.k8s.io/v1 TokenReview, its status. */
export type TokenReview =
  | {
      readonly authenticated: true
      readonly user: {
        readonly username: string
        readonly uid: string
        readonly groups: readonly string[]
        /** `authentication.kubernetes.io/pod-name` and the like, of a bound token. */
        readonly extra: Readonly<Record<string, readonly string[]>>
      }
      readonly audiences: readonly string[]
    }
  | { readonly authenticated: false; readonly error: string }

/** Typed calls of the Kubernetes API. Every failure is a `KubeError`; nothing is retried. */
export type KubeClient = {
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: KubeCallOptions): Promise<T>
  /** `undefined` when the server says `NotFound`, and for no other reason. */
  tryGet<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: KubeCallOptions): Promise<T | undefined>
  /** All pages, of one instant; begins again once when a page has expired. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>
  create<T extends KubeObject>(resource: Resource<T>, object: Draft, options?: WriteOptions): Promise<T>
  /** PUT; with a `resourceVersion` in the object, `Conflict` when it moved. */
  replace<T extends KubeObject>(resource: Resource<T>, object: Draft, options?: WriteOptions): Promise<T>
  /** Server-side apply: the fields of `object` become ours; those we had applied before and leave out now are removed. */
  apply<T extends KubeObject>(resource: Resource<T>, object: Draft, options: ApplyOptions): Promise<T>
  applyStatus<T extends KubeObject>(resource: Resource<T>, object: Draft, options: ApplyOptions): Promise<T>
  patch<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: WriteOptions & { readonly patch: Patch }): Promise<T>
  patchStatus<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: WriteOptions & { readonly patch: Patch }): Promise<T>
  /** `deleting`: marked, finalizers stand. `gone`: there was none. */
  delete<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: DeleteOptions): Promise<'deleted' | 'deleting' | 'gone'>
  /**
   * Adds a finalizer by JSON patch with a test on uid and the list as it was read; returns the object unchanged, without a call, when
   * it stands. A list that moved meanwhile is `Conflict`.
   */
  addFinalizer<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions & { readonly finalizer: string }): Promise<T>
  /** Likewise. `undefined` when the object is gone (with the last finalizer of a deleted object, usually). */
  removeFinalizer<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions & { readonly finalizer: string },
  ): Promise<T | undefined>
  /** What `subject` may do. */
  reviewAccess(spec: AccessReviewSpec, options?: KubeCallOptions): Promise<AccessReview>
  /** Whose token it is. `audiences`: the token must be meant for one of them. */
  reviewToken(token: string, options: KubeCallOptions & { readonly audiences: readonly string[] }): Promise<TokenReview>
}
