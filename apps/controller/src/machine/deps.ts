import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks, EventRecorder, Fence, Informer, Informers, KubeClient, Namespace } from '@ascribe/kube'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import type { Acts, Lives } from '../accounts/types.ts'
import type { Authority } from '../authority/types.ts'
import type { AccountViews } from './account-views.ts'
import type { CapabilityBook } from './capability-book.ts'
import type { CapiCluster, CapiMachine, CapiResources, IpamResources } from './capi.ts'
import type { Images } from './images.ts'
import type { LogBook } from './log-book.ts'
import type { Durations, Memories } from './memory.ts'
import type { TagBook } from './tag-book.ts'

/** What a machine controller is made of. */
export type MachineDeps = {
  readonly kube: KubeClient
  readonly informers: Informers
  readonly events: EventRecorder
  readonly authority: Authority
  readonly acts: Acts
  readonly lives: Lives
  /** Of the lead. Acts ask it too, before and after the intent. */
  readonly fence: Fence
  /** Key of the proof in servers' meta (H-9): the same in every process of the installation, and after a restart. Not empty. */
  readonly proofKey: string
  readonly clocks: Clocks
  /** How long something that was made may be missing from lists. Default 30 s: the cloud's own tests wait up to 20. */
  readonly listGraceMs?: number
  /** How often all is looked at. Default 60 s. */
  readonly syncMs?: number
  /** Machines at a time. Default 16. */
  readonly concurrency?: number
  /** Of one owner at a time. Default a quarter of `concurrency`, so that one owner never holds all workers. */
  readonly perOwnerMax?: number
  readonly namespace?: string
  /** Only objects whose label `cluster.x-k8s.io/watch-filter` has this value. */
  readonly watchFilter?: string
  /** Where orphan records stand. Default `ascribe-system`. */
  readonly systemNamespace?: string
  readonly capi?: CapiResources
  readonly ipam?: IpamResources
  readonly logger: Logger
  readonly meters: Meters
  /** UUIDv7. */
  readonly ids: () => string
  readonly random?: () => number
}

export type Caches = {
  readonly machines: Informer<CloudSigmaMachine>
  readonly clusters: Informer<CloudSigmaCluster>
  readonly capiClusters: Informer<CapiCluster>
  readonly capiMachines: Informer<CapiMachine>
  readonly namespaces: Informer<Namespace>
}

/** {@link MachineDeps} with defaults, and what is shared by all machines of a process. */
export type MachineWorld = Omit<MachineDeps, 'informers'> & {
  readonly listGraceMs: number
  readonly syncMs: number
  readonly systemNamespace: string
  readonly ipam: IpamResources
  readonly random: () => number
  readonly caches: Caches
  readonly views: AccountViews
  readonly images: Images
  readonly tags: TagBook
  readonly logs: LogBook
  readonly capabilities: CapabilityBook
  readonly memories: Memories
  readonly durations: Durations
  /** Goes up when who may be impersonated changes: what was refused is tried again. */
  readonly epoch: { count: number }
  readonly metrics: MachineMetrics
}

export type MachineMetrics = {
  created(region: string): void
  deleted(region: string): void
  /** Second servers and drives that were taken away. */
  second(kind: 'server' | 'drive'): void
  held(reason: string): void
  abandoned(): void
  mismatched(): void
}
