import { randomBytes } from 'node:crypto'
import { CAPI, SERVER_META } from '@ascribe/kinds'
import { devChannelOf } from '@ascribe/cloudsigma'
import type { NicSpec, ServerSpec } from '@ascribe/cloudsigma'
import { addressMetaKey } from './addresses.ts'
import type { Desired } from './desired.ts'
import { proofOf } from './marks.ts'
import type { MachineIdentity } from './marks.ts'
import type { PooledAddress, Run } from './run.ts'

/** Bytes of a VNC password, of which nobody is told: whoever needs the console opens it in the cloud, which sets another (H-16). */
const VNC_BYTES = 24

export type ServerParts = {
  readonly desired: Desired
  readonly cores: number
  readonly drives: readonly string[]
  readonly tags: readonly string[]
  readonly identity: MachineIdentity
  readonly proofKey: string
  readonly machineUid: string
  readonly clusterName: string | undefined
  readonly clusterUid: string | undefined
  readonly pool: string | undefined
  /** Base64, as it stands in the Secret. */
  readonly userData: string
  readonly pooled: ReadonlyMap<number, PooledAddress>
}

/** The POST of a server. The controller's keys of meta win over the spec's (H-10); channels go by the drive's place. */
export function serverRequest(parts: ServerParts): ServerSpec {
  const { desired, identity, drives } = parts
  const counts = { virtio: 0, ide: 0 }
  return {
    name: identity.name,
    cpuMhz: desired.cpuMhz,
    smp: parts.cores,
    memBytes: desired.memBytes,
    vncPassword: randomBytes(VNC_BYTES).toString('base64url'),
    drives: desired.disks.map(({ device, bootOrder }, disk) => ({
      drive: drives[disk] ?? '',
      device,
      devChannel: devChannelOf(counts[device]++, device),
      bootOrder,
    })),
    nics: desired.nics.map((nic, index) => nicSpec(nic, parts.pooled.get(index))),
    meta: {
      ...desired.meta,
      ...addressMeta(parts),
      [SERVER_META.machineUid]: parts.machineUid,
      ...(parts.clusterName !== undefined && { [SERVER_META.cluster]: parts.clusterName }),
      ...(parts.pool !== undefined && { [SERVER_META.pool]: parts.pool }),
      [SERVER_META.createToken]: identity.token,
      [SERVER_META.machine]: `${identity.namespace}/${identity.name}`,
      ...(parts.clusterUid !== undefined && { [SERVER_META.clusterObject]: parts.clusterUid }),
      [SERVER_META.proof]: proofOf(identity, parts.proofKey),
      [SERVER_META.base64Fields]: SERVER_META.userData,
      [SERVER_META.userData]: parts.userData,
    },
    tags: parts.tags,
  }
}

function nicSpec(nic: Desired['nics'][number], pooled: PooledAddress | undefined): NicSpec {
  if (nic.is === 'private') return { vlan: nic.vlan }
  const ip = pooled?.address ?? nic.ip
  return { ipV4: { conf: nic.conf, ...(ip !== undefined && { ip }) } }
}

/** In a VLAN nobody but the guest sets an address: what the pool gave is in meta for it, `ascribe-nic-<index>`. */
function addressMeta({ desired, pooled }: ServerParts): Record<string, string> {
  return Object.fromEntries(
    Array.from(pooled)
      .filter(([index]) => desired.nics[index]?.is === 'private')
      .map(([index, address]) => [addressMetaKey(index), JSON.stringify(address)]),
  )
}

/** Names of the tags of a server: the cluster's with our prefix and its uid, which no other management cluster has (H-22, R-31), and the spec's. */
export function tagNames({ capiCluster, key, desired }: Pick<Run, 'capiCluster' | 'key' | 'desired'>): readonly string[] {
  const { name, uid } = capiCluster?.metadata ?? {}
  const own = name === undefined || uid === undefined ? [] : [`ascribe:cluster:${key.namespace ?? ''}/${name}:${uid}`]
  return [...own, ...(typeof desired === 'string' ? [] : desired.tags)]
}

/** The MachineDeployment of a machine, where it has one. */
export function poolOf({ machine, capiMachine }: Pick<Run, 'machine' | 'capiMachine'>): string | undefined {
  return machine.metadata.labels?.[CAPI.deploymentName] ?? capiMachine?.metadata.labels?.[CAPI.deploymentName]
}
