/** Points from a dependent object to what owns it (meta/v1). */
export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** Metadata of an object (meta/v1). What a server answers always has `uid` and `resourceVersion`; what we send need not. */
export type ObjectMeta = {
  readonly name?: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  /** Opaque: compared for equality at most, never as a number. */
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
  readonly managedFields?: readonly unknown[]
}

/** What every object has. Kinds add `spec`, `status` and the like. */
export type KubeObject = { readonly apiVersion: string; readonly kind: string; readonly metadata: ObjectMeta }

/** Any object, with fields that nobody described. */
export type AnyObject = KubeObject & { readonly [field: string]: unknown }

/** Names one object of a resource. `namespace` stands exactly when the resource is namespaced. */
export type ObjectKey = { readonly namespace?: string; readonly name: string }

/** One kind of object and where the API server keeps it. `_type` is never set: it carries the type of the objects. */
export type Resource<T extends KubeObject = AnyObject> = {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  /** Lower-case plural, as in URLs. */
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly _type?: T
}

/** `v1`, `apps/v1`: the `apiVersion` of the resource's objects. */
export function apiVersionOf(resource: Resource<KubeObject>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** The key of an object that a server answered. */
export function keyOf(object: KubeObject): ObjectKey {
  const { name = '', namespace } = object.metadata
  return namespace === undefined ? { name } : { namespace, name }
}

/** `namespace/name`, or `name` when there is no namespace: the one text form of a key, as in kubectl and in logs. */
export function keyText(key: ObjectKey): string {
  return key.namespace === undefined ? key.name : `${key.namespace}/${key.name}`
}

/** Reads {@link keyText} back. Neither part can hold a slash (RFC 1123 names). */
export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/')
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
}

/** Whether somebody asked for the object's deletion. */
export function isBeingDeleted(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** The owner that controls the object, if one does. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true)
}
