import { ANNOTATIONS, CLUSTERS, FIELD_MANAGERS, FINALIZERS, MACHINES, OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine, CloudSigmaOwnerBinding } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import { createController, isKubeError } from '@ascribe/kube'
import type { Change, Clocks, Controller, Informers, KubeClient, ObjectKey, Reconcile } from '@ascribe/kube'
import { STATUS_SLACK_MS, statusPatch } from './binding-status.ts'
import type { OpenAuthority } from './create-authority.ts'
import { parsePin } from './pin.ts'
import { bestOf, isSameUser } from './standing.ts'
import { normalizeEmail, wordsOf } from './words.ts'

export type BindingDeps = {
  readonly kube: KubeClient
  readonly informers: Informers
  readonly authority: OpenAuthority
  /** Only bindings of this namespace: machines of others are not in the caches, and would count as gone. Default: all. */
  readonly namespace?: string
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters
}

const BY_NAMESPACE = 'binding-namespace'
/** Expiry and the like, which no event tells of. */
const LOOK_AGAIN_MS = 60_000

/**
 * Holds bindings while anything needs them, and says in their status what became of them. A binding that is being deleted authorizes
 * nothing any more from the instant the cache knows; it stays only so that what was made by it can be taken away with its owner's account.
 */
export function createBindingController(deps: BindingDeps): Controller {
  const { informers, authority, clocks, logger, meters } = deps
  const bindings = informers.informer<CloudSigmaOwnerBinding>(OWNER_BINDINGS, {
    indexes: { [BY_NAMESPACE]: ({ spec }) => [spec.namespaceRef.name] },
  })
  const machines = informers.informer<CloudSigmaMachine>(MACHINES)
  const clusters = informers.informer<CloudSigmaCluster>(CLUSTERS)
  const keysOf = (namespace: string): readonly ObjectKey[] =>
    (namespace === '' ? bindings.list() : bindings.byIndex(BY_NAMESPACE, namespace)).map(({ metadata }) => ({ name: metadata.name }))

  const usersOf = (binding: CloudSigmaOwnerBinding): number => {
    const { namespaceRef, subject } = binding.spec
    const needing = clusters.list(namespaceRef.name).filter((cluster) => isNaming(cluster, binding))
    return authority.ledger.machinesOf(namespaceRef.name, subject.userUUID).length + needing.length
  }
  const reconcile: Reconcile = async ({ name }) => {
    const binding = bindings.get({ name })
    if (binding === undefined || !isOurs(deps, binding)) return {}
    try {
      return await bring(deps, binding, usersOf(binding))
    } catch (error) {
      // Somebody wrote first: the cache will say so, and we look again.
      if (isKubeError(error, 'Conflict', 'NotFound')) return { requeue: true }
      throw error
    }
  }
  const controller = createController({ name: 'cloudsigmaownerbinding', reconcile, concurrency: 4, clocks, logger, meters })
  controller.watch(bindings)
  controller.watch(machines, { map: ({ metadata }) => keysOf(metadata.namespace ?? ''), when: isAboutUse })
  controller.watch(clusters, { map: ({ metadata }) => keysOf(metadata.namespace ?? ''), when: isAboutUse })
  authority.onChange((namespace) => {
    for (const key of keysOf(namespace ?? '')) controller.enqueue(key)
  })
  authority.notes.onChange((uid) => {
    const found = bindings.list().find(({ metadata }) => metadata.uid === uid)
    if (found !== undefined) controller.enqueue({ name: found.metadata.name }, { afterMs: NOTE_MS, priority: -100 })
  })
  return controller
}

function isOurs({ namespace }: BindingDeps, { spec }: CloudSigmaOwnerBinding): boolean {
  return namespace === undefined || spec.namespaceRef.name === namespace
}

/** For a cache to catch up. */
const CACHE_LOOK_MS = 1000

function isPinnedTo({ metadata }: CloudSigmaMachine, binding: CloudSigmaOwnerBinding): boolean {
  const pin = parsePin(metadata.annotations?.[ANNOTATIONS.account] ?? '')
  return pin?.kind === 'Owner' && isSameUser(binding, pin.userUUID)
}

/** Several tokens that come together are one note. */
const NOTE_MS = 200

/** Machines change all the time; a binding wants to know of those that come, go, or get their pin. */
function isAboutUse({ type, object, previous }: Change): boolean {
  return (
    type !== 'updated' || Object.keys(previous?.metadata.annotations ?? {}).length !== Object.keys(object.metadata.annotations ?? {}).length
  )
}

async function bring(
  { kube, authority, clocks }: BindingDeps,
  binding: CloudSigmaOwnerBinding,
  users: number,
): Promise<{ requeueAfterMs?: number }> {
  const { metadata, spec } = binding
  const fieldManager = FIELD_MANAGERS.controller
  const isDeleting = metadata.deletionTimestamp !== undefined
  const isHeld = metadata.finalizers?.includes(FINALIZERS.ownerBinding) === true
  if (isDeleting && isHeld && users === 0) {
    // A machine may be newer than the cache: the last word is the server's. Without its binding it could not be cleaned up.
    const { items } = await kube.list(MACHINES, { namespace: spec.namespaceRef.name })
    if (items.some((machine) => isPinnedTo(machine, binding))) return { requeueAfterMs: CACHE_LOOK_MS }
    await kube.removeFinalizer(OWNER_BINDINGS, binding, { finalizer: FINALIZERS.ownerBinding, fieldManager })
    return {}
  }
  if (!isDeleting && !isHeld) await kube.addFinalizer(OWNER_BINDINGS, binding, { finalizer: FINALIZERS.ownerBinding, fieldManager })
  const facts = authority.snapshot.facts()
  const region = spec.limits?.regions?.[0] ?? regionOf(authority, spec.impersonatorRef.name)
  const standing = bestOf(facts, [binding], { namespace: spec.namespaceRef.name, region, purpose: 'operate' })
  const note = authority.notes.get(metadata.uid ?? '')
  const patch = statusPatch(binding, { standing, note, users, now: clocks.wall() })
  if (patch !== undefined)
    await kube.patchStatus(OWNER_BINDINGS, { name: metadata.name }, { patch: { type: 'merge', body: patch }, fieldManager })
  return { requeueAfterMs: note === undefined ? LOOK_AGAIN_MS : STATUS_SLACK_MS }
}

/** Any region will do to say whether the rest stands. */
function regionOf({ snapshot }: OpenAuthority, impersonator: string): string {
  return snapshot.impersonator(impersonator)?.regions.regions?.[0] ?? ''
}

/** Whether a cluster's own words lead to this binding. */
function isNaming(cluster: CloudSigmaCluster, binding: CloudSigmaOwnerBinding): boolean {
  const { name, namespace = '' } = cluster.metadata
  const words = wordsOf(cluster, namespace)
  if (!words.ok || name === '') return false
  const pin = parsePin(cluster.metadata.annotations?.[ANNOTATIONS.account] ?? '')
  if (pin?.kind === 'Owner' && isSameUser(binding, pin.userUUID)) return true
  return words.bindings.includes(binding.metadata.name) || words.emails.includes(normalizeEmail(binding.spec.subject.emailAtBinding) ?? '')
}
