/** What Kubernetes keeps of every object. */
export type Metadata = {
  readonly name: string
  readonly namespace?: string
  readonly generateName?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
  readonly managedFields?: readonly unknown[]
}

export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** An object of one of our kinds. `K` is its kind. */
export type KindObject<K extends string, Spec, Status> = {
  readonly apiVersion: string
  readonly kind: K
  readonly metadata: Metadata
  readonly spec: Spec
  readonly status?: Status
}

/** A condition as metav1 defines it; `reason` and `message` are always written by us. */
export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime: string
  readonly observedGeneration?: number
}

/** Of which account the objects of a machine are. `userUUID` is there for `Owner`. */
export type AccountStatus = {
  readonly kind: 'Owner' | 'PlatformAccount' | 'Legacy'
  readonly userUUID?: string
  readonly region?: string
  /** Name of the binding that was selected. */
  readonly binding?: string
  readonly impersonator?: string
}

export type Endpoint = { readonly host: string; readonly port: number }

/** A Secret with the key `userEmail`, in the object's own namespace. */
export type UserRef = { readonly name: string; readonly namespace?: string }

/** Who owns: any of the three selects, a CloudSigmaOwnerBinding authorizes. Immutable. */
export type OwnerSelection = {
  readonly userEmail?: string
  readonly userRef?: UserRef
  readonly ownerBindingRef?: { readonly name: string }
}

export type ClusterSpec = OwnerSelection & {
  readonly region: string
  readonly controlPlaneEndpoint?: Endpoint
  readonly vlan?: { readonly uuid?: string; readonly name?: string; readonly cidr?: string }
  readonly loadBalancer?: { readonly enabled: boolean; readonly type?: 'tcp' | 'http' }
  /** Accepted for older manifests; nothing reads it. */
  readonly credentialsRef?: { readonly name: string; readonly namespace?: string }
}

export type ClusterStatus = {
  /** Contract v1beta1. */
  readonly ready?: boolean
  /** Contract v1beta2. Never goes back to false. */
  readonly initialization?: { readonly provisioned?: boolean }
  readonly network?: { readonly vlanUUID?: string; readonly cidr?: string }
  readonly loadBalancer?: { readonly ip?: string; readonly ready?: boolean }
  readonly account?: AccountStatus
  readonly conditions?: readonly Condition[]
  readonly observedGeneration?: number
  /** Contract v1beta1; never set. */
  readonly failureReason?: string
  /** Contract v1beta1; never set. */
  readonly failureMessage?: string
}

export type Disk = {
  /** What is cloned. */
  readonly uuid: string
  readonly device: 'virtio' | 'ide'
  readonly boot_order: number
  /** Bytes. */
  readonly size: number
}

export type IpPoolRef = { readonly apiGroup?: string; readonly kind: string; readonly name: string }

/** Either `vlan` or `public: true`. */
export type Nic = {
  readonly vlan?: string
  readonly public?: boolean
  readonly ipv4_conf?: { readonly conf: 'dhcp' | 'static' | 'manual'; readonly ip?: { readonly uuid: string } }
  /** A pool of Cluster API's IPAM: one IPAddressClaim for each such interface. */
  readonly ipPoolRef?: IpPoolRef
}

/** What a machine is made of: the spec of a template, and of a machine but for `providerID`. */
export type MachineTemplateSpec = OwnerSelection & {
  /** MHz of the whole machine, 1000 to 100000. */
  readonly cpu: number
  /** `smp`; 0: as many as the location allows. Absent: the cloud chooses. */
  readonly cpuCores?: number
  /** MiB, 512 to 524288. */
  readonly memory: number
  /** The founding template has none: then a machine cannot be created, and says so (`InvalidSpec`). */
  readonly disks?: readonly Disk[]
  readonly nics?: readonly Nic[]
  readonly tags?: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
}

export type MachineSpec = MachineTemplateSpec & {
  /** `cloudsigma://<server uuid>`; written once. */
  readonly providerID?: string
}

export type MachineAddress = {
  readonly type: 'Hostname' | 'ExternalIP' | 'InternalIP' | 'ExternalDNS' | 'InternalDNS'
  readonly address: string
}

export type MachineStatus = {
  /** Contract v1beta1. */
  readonly ready?: boolean
  /** Contract v1beta2. Never goes back to false. */
  readonly initialization?: { readonly provisioned?: boolean }
  /** The server's uuid. */
  readonly instanceID?: string
  /** As the cloud says it. */
  readonly instanceState?: string
  readonly addresses?: readonly MachineAddress[]
  readonly failureDomain?: string
  readonly account?: AccountStatus
  readonly conditions?: readonly Condition[]
  readonly observedGeneration?: number
  /** Contract v1beta1; never set. */
  readonly failureReason?: string
  /** Contract v1beta1; never set. */
  readonly failureMessage?: string
}

export type TemplateMetadata = {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export type MachineTemplateResource = { readonly metadata?: TemplateMetadata; readonly spec: MachineTemplateSpec }

/** Scale from zero (C-42). Quantities are text, as Kubernetes writes them. */
export type MachineTemplateStatus = {
  readonly capacity?: Readonly<Record<string, number | string>>
  readonly nodeInfo?: { readonly architecture?: string; readonly operatingSystem?: string }
  readonly conditions?: readonly Condition[]
  readonly observedGeneration?: number
}

export type ImpersonatorRegion = {
  readonly name: string
  /** A host name (https), or a URL on loopback. */
  readonly apiHost: string
  /** As `apiHost`. */
  readonly impersonateHost: string
}

export type NamespaceSelector = {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

export type ImpersonatorSpec = {
  readonly issuer: string
  /** Default `ascribe-system/cloudsigma-impersonation`; keys `client-id` and `client-secret`. */
  readonly clientSecretRef?: { readonly name: string; readonly namespace?: string }
  readonly regions: readonly ImpersonatorRegion[]
  /** Default `{ mode: 'None' }`. `Selected`: named, or matched by the selector. */
  readonly allowedNamespaces?: {
    readonly mode: 'None' | 'All' | 'Selected'
    readonly names?: readonly string[]
    readonly selector?: NamespaceSelector
  }
  /** Default `{ mode: 'Forbid' }`. `limits`: of each namespace in the platform's account; those of the controller's settings where there are none. */
  readonly fallback?: { readonly mode: 'Forbid' | 'PlatformAccount'; readonly limits?: AccountLimits }
}

export type ImpersonatorStatus = { readonly conditions?: readonly Condition[]; readonly observedGeneration?: number }

export type Evidence = {
  readonly type: 'OIDC' | 'ConsentGrant' | 'AdminAssertion'
  /** Who said it: the token's issuer, or the administrator. */
  readonly issuer?: string
  readonly sub?: string
  /** Seconds since the epoch. */
  readonly iat?: number
  /** `sha256:<hex>` of what was shown. */
  readonly hash?: string
}

/** Of all machines of one namespace in one account. */
export type AccountLimits = {
  readonly maxServers?: number
  /** MHz of all machines. */
  readonly maxCPU?: number
  /** MiB of all machines. */
  readonly maxMemory?: number
  readonly maxDrives?: number
}

export type BindingLimits = AccountLimits & { readonly regions?: readonly string[] }

/** Immutable but for `limits` and `expiresAt`. */
export type OwnerBindingSpec = {
  readonly namespaceRef: { readonly name: string; readonly uid: string }
  readonly subject: { readonly userUUID: string; readonly emailAtBinding: string }
  readonly impersonatorRef: { readonly name: string }
  readonly evidence: Evidence
  readonly limits?: BindingLimits
  /** RFC 3339. */
  readonly expiresAt?: string
  /** Whether machines may be deleted with the owner's account after the binding ended. Default true. */
  readonly allowCleanupAfterRevoke?: boolean
}

export type OwnerBindingStatus = {
  readonly verifiedAt?: string
  readonly profileUUID?: string
  readonly lastMint?: string
  readonly lastError?: string
  readonly conditions?: readonly Condition[]
  readonly observedGeneration?: number
}

export type CloudSigmaCluster = KindObject<'CloudSigmaCluster', ClusterSpec, ClusterStatus>
export type CloudSigmaClusterTemplate = KindObject<
  'CloudSigmaClusterTemplate',
  { readonly template: { readonly metadata?: TemplateMetadata; readonly spec: ClusterSpec } },
  { readonly conditions?: readonly Condition[] }
>
export type CloudSigmaMachine = KindObject<'CloudSigmaMachine', MachineSpec, MachineStatus>
export type CloudSigmaMachineTemplate = KindObject<
  'CloudSigmaMachineTemplate',
  { readonly template: MachineTemplateResource },
  MachineTemplateStatus
>
export type CloudSigmaImpersonator = KindObject<'CloudSigmaImpersonator', ImpersonatorSpec, ImpersonatorStatus>
export type CloudSigmaOwnerBinding = KindObject<'CloudSigmaOwnerBinding', OwnerBindingSpec, OwnerBindingStatus>
