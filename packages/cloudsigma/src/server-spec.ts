import { CloudSigmaRequestError } from './errors.ts'
import { Hidden } from './hidden.ts'
import type { Nic, Server, ServerDrive } from './objects.ts'
import { assertName, assertPositive, drivesBody, metaBody, nicsBody, tagsBody } from './specs.ts'
import type { NicSpec, ServerDriveSpec } from './specs.ts'

/** What a server is made of. A replacement (`update`) must name everything, since it replaces everything. */
export type ServerSpec = {
  readonly name: string
  /** MHz of all cores together. */
  readonly cpuMhz: number
  /** Cores. Without it the cloud chooses, and may choose fewer and slower ones. */
  readonly smp?: number
  readonly memBytes: number
  /** Random and of its own for every server (H-16). */
  readonly vncPassword: string | Hidden
  readonly drives?: readonly ServerDriveSpec[]
  readonly nics?: readonly NicSpec[]
  /** Keys of at most 32 characters. Whoever may list the server may read it (H-17). */
  readonly meta?: Readonly<Record<string, string>>
  /** Ids. Default none: always sent, so that an update can take the last one away. */
  readonly tags?: readonly string[]
}

/**
 * A server as it is, to be sent back changed: PUT replaces everything, so that whatever is left out is lost, and an interface without its
 * mac would be a new one (3.5, R-36).
 *
 * @example await servers.update(uuid, { ...serverSpecOf(server), meta: withoutBootstrapData })
 * @throws {CloudSigmaRequestError} for one that lacks what a PUT must have, as one that was shared with fewer permissions may
 */
export function serverSpecOf(server: Server): ServerSpec {
  const { name, cpuMhz, smp, memBytes, vncPassword, meta, tags } = server
  if (cpuMhz === undefined || memBytes === undefined || vncPassword === undefined)
    throw new CloudSigmaRequestError(`Cannot send server ${server.uuid} back: its cpu, memory or VNC password was not said`)
  return {
    name,
    cpuMhz,
    ...(smp !== undefined && { smp }),
    memBytes,
    vncPassword,
    drives: server.drives.flatMap(driveSpecOf),
    nics: server.nics.map(nicSpecOf),
    meta: meta.reveal(),
    tags,
  }
}

function driveSpecOf({ drive, device, devChannel, bootOrder }: ServerDrive): ServerDriveSpec[] {
  if (drive === undefined) return []
  return [
    {
      drive,
      ...((device === 'virtio' || device === 'ide') && { device }),
      ...(devChannel !== undefined && { devChannel }),
      ...(bootOrder !== undefined && { bootOrder }),
    },
  ]
}

function nicSpecOf({ mac, vlan, ipV4, bootOrder }: Nic): NicSpec {
  const { conf, ip } = ipV4 ?? {}
  const isKnown = conf === 'dhcp' || conf === 'static' || conf === 'manual'
  return {
    ...(mac !== undefined && { mac }),
    ...(vlan !== undefined && { vlan }),
    // The address of dhcp is the cloud's to say.
    ...(vlan === undefined && isKnown && { ipV4: { conf, ...(ip !== undefined && conf !== 'dhcp' && { ip }) } }),
    ...(bootOrder !== undefined && { bootOrder }),
  }
}

/** The server as the API takes it: all of it, always, also what is empty. @throws {CloudSigmaRequestError} */
export function serverBody(spec: ServerSpec): object {
  const password = spec.vncPassword instanceof Hidden ? spec.vncPassword.reveal() : spec.vncPassword
  if (password === '') throw new CloudSigmaRequestError('Cannot send the request: a server needs a VNC password')
  return {
    name: assertName(spec.name),
    cpu: assertPositive(spec.cpuMhz, 'cpu'),
    ...(spec.smp !== undefined && { smp: assertPositive(spec.smp, 'smp') }),
    mem: assertPositive(spec.memBytes, 'mem'),
    vnc_password: password,
    drives: drivesBody(spec.drives ?? []),
    nics: nicsBody(spec.nics ?? []),
    meta: metaBody(spec.meta ?? {}),
    tags: tagsBody(spec.tags ?? []),
  }
}
