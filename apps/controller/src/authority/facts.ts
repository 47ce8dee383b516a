import type { RegionEndpoint } from '@ascribe/impersonation'
import type { AccountLimits, CloudSigmaOwnerBinding, NamespaceSelector } from '@ascribe/kinds'

export type NamespaceFacts = { readonly name: string; readonly uid: string; readonly labels: Readonly<Record<string, string>> }

/** What an Impersonator, or the environment in its place, says. */
export type ImpersonatorFacts = {
  readonly name: string
  readonly uid: string
  readonly generation: number
  readonly isDeleting: boolean
  readonly fallback: 'Forbid' | 'PlatformAccount'
  /** Of each namespace in the platform's account. */
  readonly fallbackLimits?: AccountLimits | undefined
  readonly allows: (namespace: NamespaceFacts) => boolean
  /** The host of a region, from this one's table alone; or why there is none. */
  readonly place: (region: string) => Place
}

export type Place =
  | { readonly ok: true; readonly endpoint: RegionEndpoint }
  /** In words for people. */
  | { readonly ok: false; readonly why: string }

/** All that a decision looks at: one instant of the caches. */
export type Facts = {
  /** Whether the caches have been filled: before that nothing is absent. */
  readonly isReady: boolean
  /** UTC epoch milliseconds. */
  readonly now: number
  readonly namespace: (name: string) => NamespaceFacts | undefined
  readonly impersonator: (name: string) => ImpersonatorFacts | undefined
  readonly impersonators: readonly ImpersonatorFacts[]
  /** Those whose `namespaceRef` has this name, in whatever state they are. */
  readonly bindings: (namespace: string) => readonly CloudSigmaOwnerBinding[]
  /** Whether new machines are made in the one account of the legacy mode. */
  readonly isLegacy: boolean
  /** Of the legacy mode, whether it is in force for new machines or not. `undefined`: no credentials for it. */
  readonly legacyPlace: ((region: string) => Place) | undefined
  /** Whether there are credentials of the platform's account. */
  readonly hasPlatform: boolean
}

/** A label selector of Kubernetes; one without any requirement matches everything. */
export function matchesSelector(labels: Readonly<Record<string, string>>, selector: NamespaceSelector): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value)
        case 'NotIn':
          return value === undefined || !values.includes(value)
        case 'Exists':
          return value !== undefined
        case 'DoesNotExist':
          return value === undefined
        default:
          // An operator of a later version: default-deny.
          return false
      }
    })
  )
}
