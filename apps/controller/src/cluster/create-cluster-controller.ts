import { CAPI, CLUSTERS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import { createController } from '@ascribe/kube'
import type { Change, Controller, ObjectKey, Reconcile } from '@ascribe/kube'
import { isOvertaken, reconcileCluster } from './reconcile-cluster.ts'
import type { ClusterWorld } from './reconcile-cluster.ts'
import { clusterNameOf } from './surroundings.ts'
import type { ClusterDeps, CoreCluster } from './types.ts'

const VERIFY_MS = 600_000
/** Named by a Cluster, whatever binds them: by the name that machines and clusters carry. */
const BY_CLUSTER = 'cluster-core'

/** The controller of CloudSigmaClusters. */
export function createClusterController(deps: ClusterDeps): Controller {
  const { informers, authority, namespace, watchFilter, clocks, logger, meters } = deps
  const scope = namespace === undefined ? {} : { namespace }
  const clusters = informers.informer<CloudSigmaCluster>(CLUSTERS, {
    ...scope,
    indexes: { [BY_CLUSTER]: (each) => [`${each.metadata.namespace ?? ''}/${clusterNameOf(each)}`] },
  })
  const machines = informers.informer<CloudSigmaMachine>(MACHINES, scope)
  const cores = informers.informer<CoreCluster>(deps.coreClusters, scope)
  const world: ClusterWorld = {
    ...deps,
    caches: { clusters, machines, cores },
    verified: new Map(),
    epoch: { count: 0 },
    verifyMs: deps.verifyMs ?? VERIFY_MS,
  }
  const isOurs = ({ metadata }: CloudSigmaCluster): boolean =>
    watchFilter === undefined || metadata.labels?.[CAPI.watchFilter] === watchFilter

  const reconcile: Reconcile = async (key) => {
    const cluster = clusters.get(key)
    if (cluster === undefined || !isOurs(cluster)) return {}
    try {
      return await reconcileCluster(world, cluster)
    } catch (error) {
      if (isOvertaken(error)) return { requeue: true }
      throw error
    }
  }
  const named = (key: string): readonly ObjectKey[] =>
    clusters.byIndex(BY_CLUSTER, key).map(({ metadata }) => ({ namespace: metadata.namespace ?? '', name: metadata.name }))
  const controller = createController({
    name: 'cloudsigmacluster',
    reconcile,
    concurrency: deps.concurrency ?? 4,
    groupOf: ({ namespace: group = '' }) => group,
    groupMax: 2,
    clocks,
    logger,
    meters,
  })
  controller.watch(clusters)
  controller.watch(cores, { map: ({ metadata }) => named(`${metadata.namespace ?? ''}/${metadata.name ?? ''}`) })
  controller.watch(machines, {
    map: ({ metadata }) => named(`${metadata.namespace ?? ''}/${metadata.labels?.[CAPI.clusterName] ?? ''}`),
    when: isGone,
  })
  authority.onChange((changed) => {
    world.epoch.count += 1
    for (const { metadata } of clusters.list(changed)) controller.enqueue({ namespace: metadata.namespace ?? '', name: metadata.name })
  })
  return controller
}

/** A cluster that is being deleted waits for this; nothing else of machines concerns it. */
function isGone({ type }: Change<CloudSigmaMachine>): boolean {
  return type === 'deleted'
}
