import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks, EventRecorder, Informers, KubeClient, KubeObject, Resource } from '@ascribe/kube'
import type { Authority } from '../authority/types.ts'

/** cluster.x-k8s.io Cluster, as far as an infrastructure cluster depends on it. */
export type CoreCluster = KubeObject & { readonly spec?: { readonly paused?: boolean } }

export type ClusterDeps = {
  readonly kube: KubeClient
  readonly informers: Informers
  readonly authority: Authority
  readonly events: EventRecorder
  /** Clusters of Cluster API, in the version that the server serves. */
  readonly coreClusters: Resource<CoreCluster>
  readonly clocks: Clocks
  /** How often an account that works is looked at again. Default 10 min. */
  readonly verifyMs?: number
  /** Only this namespace. Default: all. */
  readonly namespace?: string
  /** Only objects whose label `cluster.x-k8s.io/watch-filter` has this value. */
  readonly watchFilter?: string
  readonly concurrency?: number
  readonly logger: Logger
  readonly meters: Meters
}
