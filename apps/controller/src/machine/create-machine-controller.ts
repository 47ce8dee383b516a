import { CLUSTERS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { NAMESPACES, createController } from '@ascribe/kube'
import type { Change, Controller, Informer, ObjectKey, Reconcile } from '@ascribe/kube'
import { createAccountViews } from './account-views.ts'
import { capiResources, ipamResources } from './capi.ts'
import type { CapiCluster, CapiMachine } from './capi.ts'
import { createCapabilityBook } from './capability-book.ts'
import type { Caches, MachineDeps, MachineMetrics, MachineWorld } from './deps.ts'
import { createImages } from './images.ts'
import { createLogBook } from './log-book.ts'
import { createDurations, createMemories } from './memory.ts'
import { createReconcile } from './reconcile.ts'
import { createTagBook } from './tag-book.ts'
import { pinOf } from './run.ts'

export type MachineController = {
  /** Reconciles CloudSigmaMachines while it runs. */
  readonly controller: Controller
  /** For tests: one machine, once. */
  readonly reconcile: Reconcile
}

const BY_CLUSTER = 'cluster'
const CLUSTER_LABEL = 'cluster.x-k8s.io/cluster-name'
/** So many owners at least have a worker each. */
const OWNERS_AT_A_TIME = 4
const DEFAULTS = { listGraceMs: 30_000, syncMs: 60_000, concurrency: 16, systemNamespace: 'ascribe-system' }

/** The controller of CloudSigmaMachines. Watches them, their Machines, Clusters and CloudSigmaClusters, and who may be impersonated. */
export function createMachineController(deps: MachineDeps): MachineController {
  const { informers, clocks, authority, logger, meters } = deps
  const scope = deps.namespace === undefined ? {} : { namespace: deps.namespace }
  const capi = deps.capi ?? capiResources()
  const caches: Caches = {
    machines: informers.informer(MACHINES, { ...scope, indexes: { [BY_CLUSTER]: clusterKeys } }),
    clusters: informers.informer(CLUSTERS, scope),
    capiClusters: informers.informer(capi.clusters, scope),
    capiMachines: informers.informer(capi.machines, scope),
    namespaces: informers.informer(NAMESPACES),
  }
  const world: MachineWorld = {
    ...DEFAULTS,
    ...deps,
    ipam: deps.ipam ?? ipamResources(),
    random: deps.random ?? Math.random,
    caches,
    views: createAccountViews(clocks),
    images: createImages(clocks),
    tags: createTagBook(),
    logs: createLogBook(clocks),
    capabilities: createCapabilityBook(clocks),
    memories: createMemories(),
    durations: createDurations(),
    epoch: { count: 0 },
    metrics: metricsOf(meters),
  }
  const reconcile = createReconcile(world)
  const { concurrency = DEFAULTS.concurrency } = deps
  const controller = createController({
    name: 'cloudsigmamachine',
    reconcile,
    concurrency,
    groupOf: (key) => groupOf(caches.machines, key),
    groupMax: deps.perOwnerMax ?? Math.max(1, Math.floor(concurrency / OWNERS_AT_A_TIME)),
    clocks,
    logger,
    meters,
  })
  watchAll(controller, caches)
  authority.onChange((namespace) => {
    world.epoch.count += 1
    for (const machine of caches.machines.list(namespace)) controller.enqueue(keyOfMachine(machine))
  })
  return { controller, reconcile }
}

function clusterKeys({ metadata }: CloudSigmaMachine): readonly string[] {
  const name = metadata.labels?.[CLUSTER_LABEL]
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`]
}

const keyOfMachine = ({ metadata: { namespace, name } }: CloudSigmaMachine): ObjectKey => ({
  ...(namespace !== undefined && { namespace }),
  name,
})

/** Fairness goes by who pays: the owner, else the namespace. */
function groupOf(machines: Informer<CloudSigmaMachine>, key: ObjectKey): string {
  const machine = machines.get(key)
  return (machine === undefined ? undefined : pinOf(machine)?.userUUID) ?? key.namespace ?? ''
}

function watchAll(controller: Controller, caches: Caches): void {
  controller.watch(caches.machines, { when: isWorthALook })
  const ofCluster = (namespace: string | undefined, name: string | undefined): readonly ObjectKey[] =>
    caches.machines.byIndex(BY_CLUSTER, `${namespace ?? ''}/${name ?? ''}`).map(keyOfMachine)
  controller.watch(caches.capiMachines, { map: ({ metadata, ...machine }) => infraOf({ metadata, ...machine }) })
  // Pause and infrastructure readiness.
  controller.watch(caches.capiClusters, { map: ({ metadata }) => ofCluster(metadata.namespace, metadata.name), when: clusterChanged })
  controller.watch(caches.clusters, {
    map: (cluster) => {
      const owner = cluster.metadata.ownerReferences?.find(({ kind }) => kind === 'Cluster')
      return ofCluster(cluster.metadata.namespace, owner?.name ?? cluster.metadata.labels?.[CLUSTER_LABEL] ?? cluster.metadata.name)
    },
    when: specChanged,
  })
}

function infraOf(machine: CapiMachine): readonly ObjectKey[] {
  const ref = (machine.spec as { readonly infrastructureRef?: { readonly kind?: string; readonly name?: string } } | undefined)
    ?.infrastructureRef
  if (ref?.kind !== 'CloudSigmaMachine' || ref.name === undefined) return []
  const { namespace } = machine.metadata
  return [{ ...(namespace !== undefined && { namespace }), name: ref.name }]
}

/** Our own patches of the status wake nobody. */
function isWorthALook({ type, object, previous }: Change<CloudSigmaMachine>): boolean {
  if (type !== 'updated' || previous === undefined) return true
  const [now, before] = [object.metadata, previous.metadata]
  return (
    now.generation !== before.generation ||
    now.deletionTimestamp !== before.deletionTimestamp ||
    now.uid !== before.uid ||
    JSON.stringify([now.annotations, now.labels, now.finalizers, now.ownerReferences]) !==
      JSON.stringify([before.annotations, before.labels, before.finalizers, before.ownerReferences])
  )
}

function clusterChanged({ object, previous }: Change<CapiCluster>): boolean {
  return (
    previous === undefined ||
    object.spec?.paused !== previous.spec?.paused ||
    object.spec?.infrastructureRef?.name !== previous.spec?.infrastructureRef?.name ||
    isProvisioned(object) !== isProvisioned(previous)
  )
}

function isProvisioned({ status }: CapiCluster): boolean {
  return status?.initialization?.infrastructureProvisioned === true || status?.infrastructureReady === true
}

function specChanged({ object, previous }: Change): boolean {
  if (previous === undefined) return true
  const marks = ({ metadata }: typeof object): unknown => [metadata.generation, metadata.annotations, metadata.deletionTimestamp]
  return JSON.stringify(marks(object)) !== JSON.stringify(marks(previous))
}

function metricsOf(meters: MachineDeps['meters']): MachineMetrics {
  const created = meters.counter('ascribe_machine_servers_created_total', 'Servers that were made')
  const deleted = meters.counter('ascribe_machine_servers_deleted_total', 'Servers whose deletion was begun')
  const second = meters.counter(
    'ascribe_machine_second_removed_total',
    'Servers and drives that had been made a second time, and were taken away',
  )
  const held = meters.counter('ascribe_machine_held_total', 'Runs that ended with something to wait for, by reason')
  const abandoned = meters.counter(
    'ascribe_machine_abandoned_total',
    'Machines whose finalizer went while something may stand in the cloud',
  )
  const mismatched = meters.counter(
    'ascribe_machine_owner_mismatch_total',
    'Things that the cloud made for somebody else than the pinned owner',
  )
  return {
    created: (region) => created.add(1, { region }),
    deleted: (region) => deleted.add(1, { region }),
    second: (kind) => second.add(1, { kind }),
    held: (reason) => held.add(1, { reason }),
    abandoned: () => abandoned.add(),
    mismatched: () => mismatched.add(),
  }
}
