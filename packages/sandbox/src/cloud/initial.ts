import type { Drive } from './entities.ts'
import { subscribe } from './subscriptions.ts'
import type { SandboxUser, SandboxUserSpec } from './users.ts'
import type { World } from './world.ts'

const GIB = 1_073_741_824

const LIBRARY: readonly { readonly name: string; readonly sizeBytes: number; readonly image: Readonly<Record<string, string>> }[] = [
  {
    name: 'Ubuntu 24.04 LTS Server (sandbox)',
    sizeBytes: 10 * GIB,
    image: { arch: '64', distribution: 'Ubuntu', image_type: 'preinst', os: 'linux' },
  },
  {
    name: 'Debian 12 Kubernetes node (sandbox)',
    sizeBytes: 16 * GIB,
    image: { arch: '64', distribution: 'Debian', image_type: 'preinst', os: 'linux' },
  },
]

/** Adds a user, with a VLAN and a static address in every region: nothing makes them but a subscription. */
export function addAccount(world: World, spec: SandboxUserSpec): SandboxUser {
  const user = world.users.add(spec)
  for (const region of world.regions.names) {
    for (const resource of ['vlan', 'ip'] as const) subscribe(world, { region, owner: user.uuid, resource, at: 0 })
  }
  return user
}

/** Fills the library of every region. Its drives belong to nobody. */
export function addLibrary(world: World): void {
  for (const region of world.regions.names) {
    for (const { name, sizeBytes, image } of LIBRARY) {
      const drive: Drive = {
        kind: 'libdrives',
        uuid: world.newUuid('libdrive'),
        owner: null,
        createdAt: 0,
        meta: {},
        tags: [],
        name,
        size: sizeBytes,
        media: 'disk',
        storageType: 'dssd',
        status: 'unmounted',
        allowMultimount: false,
        affinities: [],
        payer: null,
        jobs: [],
        image,
      }
      world.state(region).libdrives.set(drive.uuid, drive)
    }
  }
}
