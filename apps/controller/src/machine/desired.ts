import { META_KEY_LENGTH_MAX, RESERVED_META, RESERVED_META_PREFIX } from '@ascribe/kinds'
import type { CloudSigmaCluster, IpPoolRef, MachineSpec, Nic } from '@ascribe/kinds'
import type { Capabilities } from '@ascribe/cloudsigma'
import { isUuid } from '@ascribe/units'

/** A disk to clone. */
export type DesiredDisk = {
  readonly image: string
  readonly device: 'virtio' | 'ide'
  readonly bootOrder: number
  readonly sizeBytes: number
}

/** An interface: private, or public because the spec says so (H-16). Never both. */
export type DesiredNic =
  | { readonly is: 'private'; readonly vlan: string; readonly pool?: IpPoolRef }
  | { readonly is: 'public'; readonly conf: 'dhcp' | 'static' | 'manual'; readonly ip?: string; readonly pool?: IpPoolRef }

/** What a machine shall be made of; checked, in the cloud's units. */
export type Desired = {
  readonly cpuMhz: number
  /** Asked for; `max`: as many as the location allows; missing: as few as the clock of a core allows. */
  readonly cores: number | 'max' | undefined
  readonly memBytes: number
  readonly memoryMib: number
  readonly disks: readonly DesiredDisk[]
  readonly nics: readonly DesiredNic[]
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
}

const MIB = 1_048_576
const DISKS_MAX = 24
const NICS_MAX = 16

/** Reads a spec; a text says what is wrong with it and what to do. */
export function desiredOf(spec: MachineSpec, cluster: CloudSigmaCluster | undefined): Desired | string {
  const { cpu, memory, disks = [], nics = [], tags = [], meta = {} } = spec
  if (disks.length === 0) return 'spec.disks is empty: name at least one image to clone, in a new template'
  if (disks.length > DISKS_MAX) return `spec.disks has ${disks.length} entries, and may have ${DISKS_MAX}`
  if (nics.length > NICS_MAX) return `spec.nics has ${nics.length} entries, and may have ${NICS_MAX}`
  const wrongMeta = metaFault(meta)
  if (wrongMeta !== undefined) return wrongMeta
  const wrongDisk = disks.findIndex(({ uuid, size }) => !isUuid(uuid) || !Number.isSafeInteger(size) || size <= 0)
  if (wrongDisk >= 0) return `spec.disks[${wrongDisk}] needs the uuid of an image, and a size in bytes`
  const wanted = (nics.length === 0 ? [{}] : nics).map((nic) => nicOf(nic, cluster?.spec.vlan?.uuid))
  const wrongNic = wanted.find((nic) => typeof nic === 'string')
  if (typeof wrongNic === 'string') return wrongNic
  return {
    cpuMhz: cpu,
    cores: spec.cpuCores === 0 ? 'max' : spec.cpuCores,
    memBytes: memory * MIB,
    memoryMib: memory,
    disks: disks.map(({ uuid, device, boot_order: bootOrder, size }) => ({ image: uuid, device, bootOrder, sizeBytes: size })),
    nics: wanted.filter((nic) => typeof nic !== 'string'),
    tags,
    meta,
  }
}

/** H-10: nobody but the controller writes what a boot or the bookkeeping depends on. */
function metaFault(meta: Readonly<Record<string, string>>): string | undefined {
  for (const key of Object.keys(meta)) {
    if (RESERVED_META.includes(key) || key.startsWith(RESERVED_META_PREFIX)) return `spec.meta.${key.slice(0, 40)} is reserved`
    if (key.length === 0 || key.length > META_KEY_LENGTH_MAX)
      return `A key of spec.meta has ${key.length} characters; the cloud takes 1 to ${META_KEY_LENGTH_MAX}`
  }
  return undefined
}

/**
 * The reference provider sent vlan and address together, which the API refuses, and took an empty vlan for a public interface: its
 * manifests still mean the same. An interface that says nothing is in the cluster's VLAN.
 */
function nicOf(nic: Nic, clusterVlan: string | undefined): DesiredNic | string {
  const { vlan, ipv4_conf: conf, ipPoolRef: pool } = nic
  const withPool = pool === undefined ? {} : { pool }
  if (vlan !== undefined && vlan !== '') {
    if (nic.public === true) return 'An interface of spec.nics has a vlan and is public: it can be one of them'
    return isUuid(vlan) ? { is: 'private', vlan, ...withPool } : 'A vlan of spec.nics is no uuid'
  }
  const isPublic = nic.public === true || (vlan === '' && conf !== undefined) || (conf !== undefined && conf.conf !== 'dhcp')
  if (!isPublic) {
    if (clusterVlan === undefined || clusterVlan === '')
      return 'An interface has neither a vlan nor `public: true`, and the CloudSigmaCluster has no spec.vlan.uuid. Public interfaces must be asked for'
    return { is: 'private', vlan: clusterVlan, ...withPool }
  }
  const how = conf?.conf ?? 'dhcp'
  if (how === 'static' && conf?.ip === undefined && pool === undefined)
    return 'A static interface of spec.nics needs ip.uuid, or an ipPoolRef'
  return {
    is: 'public',
    conf: pool === undefined ? how : 'static',
    ...(conf?.ip !== undefined && how !== 'dhcp' && { ip: conf.ip.uuid }),
    ...withPool,
  }
}

/**
 * How many cores to ask for: said in every create, since without a word the cloud takes fewer and slower ones. A text says why no
 * number fits what the location offers.
 */
export function coresOf(
  { cpuMhz, cores }: Pick<Desired, 'cpuMhz' | 'cores'>,
  { smp, cpuPerSmp, cpuMhz: range }: Capabilities,
): number | string {
  const perCoreMax = cpuPerSmp?.max ?? 3000
  const perCoreMin = cpuPerSmp?.min ?? 1000
  const coresMax = smp?.max ?? 32
  if ((range?.max !== undefined && cpuMhz > range.max) || (range?.min !== undefined && cpuMhz < range.min))
    return `spec.cpu is ${cpuMhz} MHz; this location takes ${range.min ?? 0} to ${range.max ?? 'any number'}`
  const fewest = Math.max(1, Math.ceil(cpuMhz / perCoreMax))
  const most = Math.min(coresMax, Math.max(1, Math.floor(cpuMhz / perCoreMin)))
  if (cores === undefined)
    return fewest <= coresMax ? fewest : `spec.cpu is ${cpuMhz} MHz, which ${coresMax} cores of ${perCoreMax} MHz do not give`
  if (cores === 'max') return most
  if (cores < fewest || cores > most)
    return `spec.cpuCores is ${cores}: ${cpuMhz} MHz go on ${fewest} to ${most} cores here, of ${perCoreMin} to ${perCoreMax} MHz each`
  return cores
}
