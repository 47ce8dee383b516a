/** The API group of all our kinds. */
export const GROUP = 'infrastructure.cluster.x-k8s.io'
/** The one version that is served and stored. */
export const VERSION = 'v1beta1'
export const API_VERSION = 'infrastructure.cluster.x-k8s.io/v1beta1'

/** How a kind is addressed: what `@ascribe/kube` calls a resource. `_type` carries the object's type and is never there. */
export type KindResource<T> = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly _type?: T
}

/** Set before any effect outside of the cluster, removed when nothing stands any more. The first two are those of the reference provider. */
export const FINALIZERS = {
  cluster: 'cloudsigmacluster.infrastructure.cluster.x-k8s.io',
  machine: 'cloudsigmamachine.infrastructure.cluster.x-k8s.io',
  ownerBinding: 'cloudsigmaownerbinding.infrastructure.cluster.x-k8s.io',
} as const

/** The Lease of the leader, in our namespace: the reference provider's election id, so that the two never lead at once. */
export const LEASE_NAME = 'cloudsigma.cluster.x-k8s.io'
/** Where the controller is installed unless told otherwise. */
export const DEFAULT_NAMESPACE = 'ascribe-system'
/** The Secret with `client-id` and `client-secret` unless an Impersonator names another. */
export const DEFAULT_CLIENT_SECRET = 'cloudsigma-impersonation'
/** The Secret with the key (`proof-key`) of the proofs of adoption; the controller makes it once. */
export const PROOF_SECRET = 'ascribe-controller-key'
export const SERVICE_ACCOUNTS = { controller: 'ascribe-controller', api: 'ascribe-api' } as const
/** The process that alone reads the client Secret (H-24): its service account, which is no platform writer, its Deployment and Service. */
export const MINTER = 'ascribe-minter'
/** The ConfigMap in which the minter publishes its certificate. */
export const MINTER_CONFIG_MAP = 'ascribe-minter'
/** People and programs of the platform: may write bindings, impersonators, owner annotations and our protected annotations. */
export const PLATFORM_GROUP = 'ascribe:platform'
/** Rights that a RoleBinding in a bound namespace gives to the controller: `get` on Secrets, nothing else. */
export const BOUND_NAMESPACE_ROLE = 'ascribe-bound-namespace'

/** On a namespace: the organization whose people may make clusters in it. */
export const ORGANIZATION_LABEL = 'ascribe.dev/organization'

/** Every annotation with this prefix is ours: only platform writers set, change or remove it. */
export const ANNOTATION_PREFIX = 'ascribe.dev/'

export const ANNOTATIONS = {
  /** UUIDv7, written ahead of the first call that creates; it is in the meta of server and drives, and survives `clusterctl move`. */
  createToken: 'ascribe.dev/create-token',
  /** JSON `{"kind":"Owner"|"PlatformAccount"|"Legacy","userUUID","region","binding"}`: pinned before the first token is minted. */
  account: 'ascribe.dev/account',
  /** The server's uuid, as soon as it is known. */
  server: 'ascribe.dev/server',
  /** JSON list of the drives' uuids. */
  drives: 'ascribe.dev/drives',
  /** JSON, of the metering. */
  metered: 'ascribe.dev/metered',
  /** Asks to give up on what still stands in the cloud; its value is the user name of who asks. */
  abandon: 'ascribe.dev/abandon',
  /** Why, in words. */
  abandonReason: 'ascribe.dev/abandon-reason',
  /** Agrees to `abandon`; its value is the user name of who agrees, another one. */
  abandonApproved: 'ascribe.dev/abandon-approved',
  /** JSON `{"resource","expected","actual"}`: what was created is somebody else's; nothing more is made for this machine. */
  quarantine: 'ascribe.dev/quarantine',
  /** JSON `{"at","by","server"}`: taken over from the reference provider. */
  imported: 'ascribe.dev/imported',
  /** The binding that was selected, for people. */
  ownerBinding: 'ascribe.dev/owner-binding',
  /** On a CloudSigmaCluster: `PlatformAccount` or `Forbid`, the administrator's choice for this cluster, before its machines are created. */
  fallback: 'ascribe.dev/fallback',
  /** On a CloudSigmaCluster: JSON from service account to `cloud-controller` or `storage`, who may use the broker for this cluster. */
  broker: 'ascribe.dev/broker',
} as const

/** On a CloudSigmaCluster: the name of the CloudSigmaMachineTemplate that a pool of its KdcCluster uses now. */
export function templateAnnotation(pool: string): string {
  return `${ANNOTATION_PREFIX}template-${pool}`
}

/** Owner annotations of a KdcCluster, the current name first; written is the first, read are both, two different values are refused. */
export const OWNER_ANNOTATIONS: readonly [string, string] = ['cloudsigma.com/owner-email', 'kube-dc.com/owner-email']

/** Annotations and labels of Cluster API. */
export const CAPI = {
  paused: 'cluster.x-k8s.io/paused',
  managedBy: 'cluster.x-k8s.io/managed-by',
  clusterName: 'cluster.x-k8s.io/cluster-name',
  deploymentName: 'cluster.x-k8s.io/deployment-name',
  controlPlane: 'cluster.x-k8s.io/control-plane',
  watchFilter: 'cluster.x-k8s.io/watch-filter',
  provider: 'cluster.x-k8s.io/provider',
  topologyDryRun: 'topology.cluster.x-k8s.io/dry-run',
  clusterctl: 'clusterctl.cluster.x-k8s.io',
  move: 'clusterctl.cluster.x-k8s.io/move',
  moveHierarchy: 'clusterctl.cluster.x-k8s.io/move-hierarchy',
} as const

/** Keys of a server's meta, at most 32 characters each, as the cloud demands. The first five are those of the reference provider. */
export const SERVER_META = {
  machineUid: 'machine-uid',
  cluster: 'cluster',
  pool: 'pool',
  base64Fields: 'base64_fields',
  userData: 'cloudinit-user-data',
  createToken: 'ascribe-create-token',
  /** `namespace/name`. */
  machine: 'ascribe-machine',
  clusterObject: 'ascribe-cluster',
  /** HMAC of namespace UID, machine name and create-token: without it nothing is adopted. */
  proof: 'ascribe-proof',
} as const

/** Keys of a drive's meta. */
export const DRIVE_META = {
  createToken: 'ascribe-create-token',
  /** Index in `spec.disks`. */
  disk: 'ascribe-disk',
} as const

/** Keys of `spec.meta` that nobody may set: ours, and all that begin with {@link RESERVED_META_PREFIX}. */
export const RESERVED_META: readonly string[] = [
  SERVER_META.machineUid,
  SERVER_META.cluster,
  SERVER_META.pool,
  SERVER_META.base64Fields,
  SERVER_META.userData,
]
export const RESERVED_META_PREFIX = 'ascribe-'
export const META_KEY_LENGTH_MAX = 32

/** `cloudsigma://<server uuid>`, equal to the Node's. */
export const PROVIDER_ID_PREFIX = 'cloudsigma://'

/** Field managers of server-side apply. */
export const FIELD_MANAGERS = { controller: 'ascribe', bridge: 'ascribe-kdc' } as const

/** User names and groups whose writes the policies let pass. */
export function platformWriters(namespace: string = DEFAULT_NAMESPACE): {
  readonly groups: readonly string[]
  readonly users: readonly string[]
} {
  return {
    groups: ['system:masters', PLATFORM_GROUP],
    users: Object.values(SERVICE_ACCOUNTS).map((account) => `system:serviceaccount:${namespace}:${account}`),
  }
}
