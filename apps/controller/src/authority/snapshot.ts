import type { RegionTable } from '@ascribe/impersonation'
import { IMPERSONATORS, OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaImpersonator, CloudSigmaOwnerBinding } from '@ascribe/kinds'
import { NAMESPACES } from '@ascribe/kube'
import type { Informer, Informers, Namespace } from '@ascribe/kube'
import type { Facts, ImpersonatorFacts, NamespaceFacts } from './facts.ts'
import { impersonatorOf, placeOf } from './impersonator-facts.ts'
import type { Impersonator, ImpersonatorOptions } from './impersonator-facts.ts'

/** Bindings that the environment serves, where there is no Impersonator, name this one. */
export const ENVIRONMENT = 'environment'

export type SnapshotOptions = ImpersonatorOptions & {
  readonly informers: Informers
  /** UTC epoch milliseconds. */
  readonly wall: () => number
  /** Of the environment: the table of regions in the place of an Impersonator's. */
  readonly environment: { readonly regions: RegionTable } | undefined
  /** Of the legacy mode. `isChosen`: for new machines too. */
  readonly legacy: { readonly regions: RegionTable; readonly isChosen: boolean } | undefined
  readonly hasPlatform: boolean
}

/** The caches, as facts. */
export type Snapshot = {
  facts(): Facts
  impersonator(name: string): Impersonator | undefined
  readonly bindings: Informer<CloudSigmaOwnerBinding>
  readonly impersonators: Informer<CloudSigmaImpersonator>
  readonly namespaces: Informer<Namespace>
}

const BY_NAMESPACE = 'authority-namespace'
/**
 * Watches end after ten minutes at most and are begun again. A cache that nothing was heard of for longer cannot know who was revoked
 * meanwhile, and authorizes nobody: fail closed.
 */
const STALE_MS = 700_000

export function createSnapshot(options: SnapshotOptions): Snapshot {
  const { informers, wall, environment, legacy, hasPlatform } = options
  const bindings = informers.informer<CloudSigmaOwnerBinding>(OWNER_BINDINGS, {
    indexes: { [BY_NAMESPACE]: ({ spec }) => [spec.namespaceRef.name] },
  })
  const impersonators = informers.informer<CloudSigmaImpersonator>(IMPERSONATORS)
  const namespaces = informers.informer(NAMESPACES)
  const read = new WeakMap<CloudSigmaImpersonator, Impersonator>()
  let hasSeenImpersonator = false

  const impersonatorOfObject = (object: CloudSigmaImpersonator): Impersonator => {
    const known = read.get(object)
    if (known !== undefined) return known
    const fresh = impersonatorOf(object, options)
    read.set(object, fresh)
    return fresh
  }
  // Latched: were it not, deleting the last Impersonator would open what it had closed.
  const isGoverned = (): boolean => {
    hasSeenImpersonator ||= impersonators.list().length > 0
    return hasSeenImpersonator
  }
  const impersonator = (name: string): Impersonator | undefined => {
    const object = impersonators.get({ name })
    return object === undefined ? undefined : impersonatorOfObject(object)
  }
  const implied = environment === undefined ? undefined : environmentFacts(environment.regions)

  return {
    bindings,
    impersonators,
    namespaces,
    impersonator,
    facts() {
      const isReady = [bindings, impersonators, namespaces].every((cache) => cache.hasSynced() && cache.silentMs() < STALE_MS)
      const governed = isGoverned()
      const listed: readonly ImpersonatorFacts[] = impersonators.list().map(impersonatorOfObject)
      const served = !governed && implied !== undefined ? [implied] : listed
      return {
        isReady,
        now: wall(),
        namespace: (name) => namespaceFacts(namespaces.get({ name })),
        impersonator: (name) => served.find((each) => each.name === name),
        impersonators: served,
        bindings: (namespace) => bindings.byIndex(BY_NAMESPACE, namespace),
        isLegacy: legacy?.isChosen === true && !governed,
        legacyPlace:
          legacy === undefined
            ? undefined
            : (region) => placeOf(legacy.regions, region, 'it is not in the table of the legacy mode (CLOUDSIGMA_REGIONS)'),
        hasPlatform,
      }
    },
  }
}

/** The environment in the place of an Impersonator. A binding is needed all the same. */
function environmentFacts(regions: RegionTable): ImpersonatorFacts {
  return {
    name: ENVIRONMENT,
    uid: ENVIRONMENT,
    generation: 0,
    isDeleting: false,
    fallback: 'Forbid',
    allows: () => true,
    place: (region) => placeOf(regions, region, 'it is not in the table of the environment (CLOUDSIGMA_REGIONS, cloud.endpoints)'),
  }
}

function namespaceFacts(object: Namespace | undefined): NamespaceFacts | undefined {
  if (object === undefined) return undefined
  const { name = '', uid = '', labels = {} } = object.metadata
  return { name, uid, labels }
}
