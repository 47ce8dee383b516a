/** What every object of API 2.0 has. `owner` is null for the library's drives. */
export type Entity = {
  readonly kind: EntityKind
  readonly uuid: string
  owner: string | null
  readonly createdAt: number
  meta: Readonly<Record<string, string>>
  /** Uuids of tags, in the order they were set. */
  tags: string[]
}
export type EntityKind = 'servers' | 'drives' | 'libdrives' | 'vlans' | 'ips' | 'tags' | 'acls'

export type ServerStatus = 'stopped' | 'starting' | 'running' | 'stopping' | 'paused' | 'unavailable' | 'deleting'
export type DriveStatus =
  | 'creating'
  | 'cloning_src'
  | 'cloning_dst'
  | 'resizing'
  | 'uploading'
  | 'copying'
  | 'unmounted'
  | 'mounted'
  | 'unavailable'

/** A drive on a server. */
export type Mount = {
  readonly drive: string
  readonly device: 'virtio' | 'ide'
  readonly devChannel: string
  readonly bootOrder: number | null
}

export type Nic = {
  readonly mac: string
  readonly model: string
  readonly bootOrder: number | null
  readonly vlan: string | null
  readonly ipV4: { readonly conf: 'dhcp' | 'static' | 'manual'; readonly ip: string | null } | null
  readonly ipV6: { readonly conf: string } | null
  /** The address it has while the server runs. */
  address: string | null
}

export type Server = Entity & {
  readonly kind: 'servers'
  name: string
  cpu: number
  smp: number
  mem: number
  vncPassword: string
  status: ServerStatus
  mounts: readonly Mount[]
  nics: readonly Nic[]
  /** When it last came to run. */
  activeSince: number | null
  jobs: string[]
  /** The first start under `startOutcome: 'concurrency-once'` was refused. */
  wasRefusedOnce: boolean
  /** Raised by whatever takes the server another way, so that a transition planned before knows that it is void. */
  turn: number
}

export type Drive = Entity & {
  readonly kind: 'drives' | 'libdrives'
  name: string
  size: number
  media: 'disk' | 'cdrom'
  readonly storageType: string
  status: DriveStatus
  allowMultimount: boolean
  affinities: readonly string[]
  /** Who is billed for it. */
  payer: string | null
  jobs: string[]
  /** Of library drives: what they hold; copied into the meta of clones. */
  readonly image?: Readonly<Record<string, string>>
}

export type Vlan = Entity & { readonly kind: 'vlans'; readonly subscription: number }
export type Ip = Entity & { readonly kind: 'ips'; readonly subscription: number | null; server: string | null }
export type Tag = Entity & { readonly kind: 'tags'; name: string }
export type Acl = Entity & {
  readonly kind: 'acls'
  name: string
  permissions: readonly string[]
  /** Uuids of users. */
  grantees: readonly string[]
}

/** Something long that the cloud does. Its progress follows from the time. */
export type Job = {
  readonly uuid: string
  readonly owner: string
  readonly operation: 'drive_clone' | 'server_clone'
  readonly resources: readonly string[]
  readonly createdAt: number
  readonly endsAt: number
  outcome: 'success' | 'failed'
}

export type Subscription = {
  readonly id: number
  readonly uuid: string
  readonly owner: string
  readonly resource: 'vlan' | 'ip'
  readonly subscribedObject: string
  readonly startAt: number
  readonly endAt: number
}

/** A line of the audit log. */
export type AuditEntry = {
  readonly at: number
  readonly action: string
  readonly category: string
  readonly actor: string
  /** The client that impersonated, where one did. */
  readonly client: string | undefined
  /** Whose log it is in. */
  readonly owner: string
  readonly uuid: string
  readonly details: string
  readonly success: boolean
  readonly errorType: string | null
  readonly errorMessage: string
}

export type Tagged = Server | Drive | Vlan | Ip
