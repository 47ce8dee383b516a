import { CloudSigmaRequestError } from './errors.ts'

/** A network interface: in a private network, or with a public address, and never both. */
export type NicSpec = {
  /** Of an interface that is there already; without it a new one is made. */
  readonly mac?: string
  readonly vlan?: string
  /** `dhcp` takes no address, `static` needs one that the account owns, `manual` may use any it owns. */
  readonly ipV4?: { readonly conf: 'dhcp' | 'static' | 'manual'; readonly ip?: string }
  readonly bootOrder?: number
}

/** A drive of a server. */
export type ServerDriveSpec = {
  readonly drive: string
  /** Default `virtio`. */
  readonly device?: 'virtio' | 'ide'
  /** `0:0`; default: by the drive's place in the list, which cannot collide. */
  readonly devChannel?: string
  readonly bootOrder?: number
}

const IDE_CHANNELS = ['0:0', '0:1', '1:0', '1:1'] as const
/** Units of a virtio controller, 0 to 5 (cloud-impersonation reference, 3.6). */
const VIRTIO_UNITS = 6
const VIRTIO_CHANNEL = /^\d{1,2}:[0-5]$/
const META_KEY_MAX = 32
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function refuse(what: string): never {
  throw new CloudSigmaRequestError(`Cannot send the request: ${what}`)
}

/** Asserts an id before it becomes a part of a path. @throws {CloudSigmaRequestError} */
export function assertUuid(id: string, what: string): string {
  if (!UUID.test(id)) refuse(`the id of the ${what} is no UUID in small letters`)
  return id
}

/** The channel of a server's nth drive, from 0, all of one device. @throws {CloudSigmaRequestError} when there is none left */
export function devChannelOf(index: number, device: 'virtio' | 'ide' = 'virtio'): string {
  if (device === 'virtio') return `${Math.floor(index / VIRTIO_UNITS)}:${index % VIRTIO_UNITS}`
  return IDE_CHANNELS[index] ?? refuse(`a server has ${IDE_CHANNELS.length} ide channels, and this would be drive ${index + 1}`)
}

/** The drives as the API takes them. @throws {CloudSigmaRequestError} for a channel that is not legal or taken twice */
export function drivesBody(drives: readonly ServerDriveSpec[]): object[] {
  const taken = new Set<string>()
  const counts = { virtio: 0, ide: 0 }
  return drives.map(({ drive, device = 'virtio', devChannel, bootOrder }) => {
    const channel = devChannel ?? devChannelOf(counts[device], device)
    counts[device] += 1
    const isLegal = device === 'virtio' ? VIRTIO_CHANNEL.test(channel) : (IDE_CHANNELS as readonly string[]).includes(channel)
    if (!isLegal) refuse(`${channel.slice(0, 16)} is no channel of ${device}`)
    if (taken.has(`${device} ${channel}`)) refuse(`two drives would have ${device} channel ${channel}`)
    taken.add(`${device} ${channel}`)
    return {
      drive: assertUuid(drive, 'drive'),
      device,
      dev_channel: channel,
      ...(bootOrder !== undefined && { boot_order: bootOrder }),
    }
  })
}

/** The interfaces as the API takes them. @throws {CloudSigmaRequestError} */
export function nicsBody(nics: readonly NicSpec[]): object[] {
  return nics.map(({ mac, vlan, ipV4, bootOrder }) => {
    if (vlan !== undefined && ipV4 !== undefined) refuse('an interface has a vlan or an address, not both')
    if (ipV4?.conf === 'static' && ipV4.ip === undefined) refuse('a static interface needs the address that the account owns')
    if (ipV4?.conf === 'dhcp' && ipV4.ip !== undefined) refuse('a dhcp interface takes no address')
    return {
      ...(vlan !== undefined && { vlan: assertUuid(vlan, 'vlan') }),
      ...(ipV4 !== undefined && { ip_v4_conf: { conf: ipV4.conf, ...(ipV4.ip !== undefined && { ip: ipV4.ip }) } }),
      ...(mac !== undefined && { mac }),
      ...(bootOrder !== undefined && { boot_order: bootOrder }),
    }
  })
}

/** Meta as the API takes it: keys of at most 32 characters, values that are texts. @throws {CloudSigmaRequestError} Names keys, never values. */
export function metaBody(meta: Readonly<Record<string, string>>): Record<string, string> {
  for (const [key, value] of Object.entries(meta)) {
    if (key === '' || key.length > META_KEY_MAX) refuse(`a key of meta has ${key.length} characters, and may have 1 to ${META_KEY_MAX}`)
    if (typeof value !== 'string') refuse(`the value of meta ${JSON.stringify(key)} is no text`)
  }
  return { ...meta }
}

/** Tags from the side of the resource: ids, and always a list, so that the last one can be taken away. */
export function tagsBody(tags: readonly string[]): string[] {
  return tags.map((tag) => assertUuid(tag, 'tag'))
}

/** A whole number that the API takes. @throws {CloudSigmaRequestError} */
export function assertPositive(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value <= 0) refuse(`${what} is ${value}, and must be a positive whole number`)
  return value
}

/** A name of a server, drive or tag. @throws {CloudSigmaRequestError} */
export function assertName(name: string): string {
  if (name.trim() === '') refuse('the name is empty')
  return name
}
