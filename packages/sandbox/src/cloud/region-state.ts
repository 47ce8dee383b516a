import type { Acl, AuditEntry, Drive, Entity, EntityKind, Ip, Job, Server, Subscription, Tag, Vlan } from './entities.ts'

/** What one region holds, in the order it was made. */
export class RegionState {
  readonly servers: Map<string, Server> = new Map()
  readonly drives: Map<string, Drive> = new Map()
  readonly libdrives: Map<string, Drive> = new Map()
  readonly vlans: Map<string, Vlan> = new Map()
  readonly ips: Map<string, Ip> = new Map()
  readonly tags: Map<string, Tag> = new Map()
  readonly acls: Map<string, Acl> = new Map()
  readonly jobs: Map<string, Job> = new Map()
  readonly subscriptions: Subscription[] = []
  /** Oldest first. */
  readonly audit: AuditEntry[] = []
  /** Addresses given out so far, so that no two are the same. */
  addressesGiven = 0

  /** The objects of one kind. */
  all(kind: EntityKind): ReadonlyMap<string, Entity> {
    return this[kind]
  }

  /** The object with this uuid, of whatever kind may carry tags. */
  taggable(uuid: string): Server | Drive | Vlan | Ip | undefined {
    return this.servers.get(uuid) ?? this.drives.get(uuid) ?? this.vlans.get(uuid) ?? this.ips.get(uuid)
  }

  /** Servers that a drive is on. */
  serversWith(drive: string): readonly Server[] {
    return [...this.servers.values()].filter(({ mounts }) => mounts.some((mount) => mount.drive === drive))
  }
}
