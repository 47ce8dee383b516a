import { CAPI } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import type { Informer } from '@ascribe/kube'
import type { CoreCluster } from './types.ts'

const CORE_GROUP = 'cluster.x-k8s.io'
const KDC_GROUP = 'k8s.kube-dc.com'

/** C-24: the documents say label, the code of others checks the annotation by presence. */
export function isExternallyManaged({ metadata }: CloudSigmaCluster): boolean {
  return metadata.annotations?.[CAPI.managedBy] !== undefined || metadata.labels?.[CAPI.managedBy] !== undefined
}

/** The name of the Cluster that this is a part of; machines carry it as a label. */
export function clusterNameOf({ metadata }: CloudSigmaCluster): string {
  return ownerNameOf(metadata.ownerReferences) ?? metadata.labels?.[CAPI.clusterName] ?? metadata.name
}

function ownerNameOf(references: CloudSigmaCluster['metadata']['ownerReferences']): string | undefined {
  return references?.find(({ kind, apiVersion }) => kind === 'Cluster' && apiVersion.startsWith(`${CORE_GROUP}/`))?.name
}

/** Made by the bridge for a KdcCluster, whose Cluster may have another infrastructure (kube-dc runs control planes in Kamaji). */
function isOfKdc({ metadata }: CloudSigmaCluster): boolean {
  return metadata.ownerReferences?.some(({ kind, apiVersion }) => kind === 'KdcCluster' && apiVersion.startsWith(`${KDC_GROUP}/`)) === true
}

export type Owner = { readonly is: 'found'; readonly core: CoreCluster | undefined } | { readonly is: 'missing' }

/** Whose cluster this is: by owner reference, label, or name. Without one nothing is done yet (C-25). */
export function ownerOf(cluster: CloudSigmaCluster, cores: Informer<CoreCluster>): Owner {
  const { namespace = '' } = cluster.metadata
  const core = cores.get({ namespace, name: clusterNameOf(cluster) })
  if (core !== undefined || isOfKdc(cluster)) return { is: 'found', core }
  // An owner that is not in the cache is deleted, or new; the reference alone says that there is one.
  return ownerNameOf(cluster.metadata.ownerReferences) === undefined ? { is: 'missing' } : { is: 'found', core: undefined }
}

export function isPaused(cluster: CloudSigmaCluster, core: CoreCluster | undefined): boolean {
  return core?.spec?.paused === true || cluster.metadata.annotations?.[CAPI.paused] !== undefined
}

/** the machines whose owner this cluster names. Those without a label are counted by the cluster's own name. */
export function belongsTo(machine: CloudSigmaMachine, cluster: CloudSigmaCluster): boolean {
  if (machine.metadata.namespace !== cluster.metadata.namespace) return false
  const label = machine.metadata.labels?.[CAPI.clusterName]
  return label === clusterNameOf(cluster) || label === cluster.metadata.name
}
