import type { KubeObject, ObjectMeta, Resource } from './objects.ts'

/** core/v1 Namespace, as far as we read it. */
export type Namespace = KubeObject & {
  readonly spec?: { readonly finalizers?: readonly string[] }
  readonly status?: { readonly phase?: string }
}
/** core/v1 Secret. `data` is base64. Read by `get` only, never listed or watched. */
export type Secret = KubeObject & { readonly type?: string; readonly data?: Readonly<Record<string, string>> }
/** coordination.k8s.io/v1 Lease. */
export type Lease = KubeObject & { readonly spec?: LeaseSpec }
export type LeaseSpec = {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  /** RFC 3339 with microseconds. */
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}
/** events.k8s.io/v1 Event. */
export type KubeEvent = KubeObject & {
  readonly metadata: ObjectMeta
  readonly eventTime: string
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly note: string
  readonly action: string
  readonly reportingController: string
  readonly reportingInstance: string
  readonly regarding: ObjectReference
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}
/** core/v1 ObjectReference. */
export type ObjectReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
}

const builtin = <T extends KubeObject>(
  group: string,
  plural: string,
  facts: { readonly kind: string; readonly namespaced: boolean },
): Resource<T> => ({
  group,
  version: 'v1',
  plural,
  ...facts,
})

export const NAMESPACES: Resource<Namespace> = builtin('', 'namespaces', { kind: 'Namespace', namespaced: false })
export const SECRETS: Resource<Secret> = builtin('', 'secrets', { kind: 'Secret', namespaced: true })
export const LEASES: Resource<Lease> = builtin('coordination.k8s.io', 'leases', { kind: 'Lease', namespaced: true })
export const EVENTS: Resource<KubeEvent> = builtin('events.k8s.io', 'events', { kind: 'Event', namespaced: true })
