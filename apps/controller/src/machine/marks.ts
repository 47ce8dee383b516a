import { createHmac, timingSafeEqual } from 'node:crypto'
import { ANNOTATIONS, DRIVE_META, PROVIDER_ID_PREFIX, SERVER_META } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { Drive, Server } from '@ascribe/cloudsigma'
import { isUuid } from '@ascribe/units'
import type { SeenDrive, SeenServer } from './types.ts'

/** What the object says of itself. */
export function annotationOf(machine: CloudSigmaMachine, name: string): string | undefined {
  const value = machine.metadata.annotations?.[name]
  return value === '' ? undefined : value
}

/** The uuid in a provider id; `undefined` for what is none of ours. */
export function serverOfProviderId(providerId: string | undefined): string | undefined {
  if (providerId?.startsWith(PROVIDER_ID_PREFIX) !== true) return undefined
  const uuid = providerId.slice(PROVIDER_ID_PREFIX.length)
  return isUuid(uuid) ? uuid : undefined
}

/**
 * The server of a machine: our annotation, which survives `clusterctl move` and which tenants cannot write. Provider id and status count
 * only where there is no token of ours: whoever may write them would name any server of the owner's, and have it deleted.
 */
export function recordedServer(machine: CloudSigmaMachine): string | undefined {
  const annotated = annotationOf(machine, ANNOTATIONS.server)
  if (annotated !== undefined && isUuid(annotated)) return annotated
  return annotationOf(machine, ANNOTATIONS.createToken) === undefined ? claimedServer(machine) : undefined
}

/** The server that provider id or status name, whoever wrote them there. */
export function claimedServer({ spec, status }: CloudSigmaMachine): string | undefined {
  const instance = status?.instanceID
  return serverOfProviderId(spec.providerID) ?? (instance !== undefined && isUuid(instance) ? instance : undefined)
}

/** Ids of drives by the index of the disk; what cannot be read counts as not recorded, so that it is searched. */
export function recordedDrives(machine: CloudSigmaMachine): readonly (string | undefined)[] {
  const text = annotationOf(machine, ANNOTATIONS.drives)
  if (text === undefined) return []
  try {
    const list: unknown = JSON.parse(text)
    if (!Array.isArray(list)) return []
    return list.map((each: unknown) => (typeof each === 'string' && isUuid(each) ? each : undefined))
  } catch {
    return []
  }
}

export function formatDrives(drives: readonly (string | undefined)[]): string {
  return JSON.stringify(Array.from(drives, (each) => each ?? null))
}

/** Names of cloud objects are for people; only the token in them decides anything. */
const NAME_MAX = 60

/** Name of a drive: unlike meta it can be said in the clone itself, so that no instant is without the token. */
export function driveName(machine: string, { disk, token }: { readonly disk: number; readonly token: string }): string {
  return `${machine.slice(0, NAME_MAX)}-drive-${disk}-${token}`
}

const DRIVE_NAME = /-drive-(\d{1,3})-([0-9a-f-]{36})$/

/** The token and disk in the name of a drive that was cloned and not stamped yet. */
function driveMark({ name }: Pick<Drive, 'name'>): { readonly token: string; readonly disk: number } | undefined {
  const [, disk, token] = DRIVE_NAME.exec(name) ?? []
  return disk === undefined || token === undefined ? undefined : { token, disk: Number(disk) }
}

/** Name of a drive once it is on the object and stamped: that of the reference provider. */
export function stampedDriveName(machine: string, disk: number): string {
  return `${machine.slice(0, NAME_MAX)}-drive-${disk}`
}

/** Who a machine is to the cloud. */
export type MachineIdentity = { readonly namespaceUid: string; readonly namespace: string; readonly name: string; readonly token: string }

/** What stands in the meta of a server so that nobody else can make one that we would adopt (H-9). */
export function proofOf({ namespaceUid, name, token }: MachineIdentity, key: string): string {
  return createHmac('sha256', key).update(`ascribe-proof\n${namespaceUid}\n${name}\n${token}`).digest('hex')
}

function isProof(given: string | undefined, identity: MachineIdentity, key: string): boolean {
  const expected = Buffer.from(proofOf(identity, key))
  const actual = Buffer.from(given ?? '')
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

export function seenServer(server: Server, identity: MachineIdentity | undefined, key: string): SeenServer {
  const { uuid, status, owner, meta, activeSince } = server
  const isMarked = identity !== undefined && meta.get(SERVER_META.createToken) === identity.token
  return {
    uuid,
    status,
    owner: owner?.uuid,
    drives: server.drives.flatMap(({ drive }) => drive ?? []),
    isMarked,
    isProven: isMarked && isProof(meta.get(SERVER_META.proof), identity, key),
    hasBootstrapData: meta.get(SERVER_META.userData) !== undefined,
    isIdle: status === 'stopped' && activeSince === undefined,
  }
}

export function seenDrive(drive: Drive, token: string | undefined): SeenDrive {
  const mark = driveMark(drive)
  const { uuid, status, owner, mountedOn } = drive
  return {
    uuid,
    status,
    owner: owner?.uuid,
    mountedOn,
    disk: mark !== undefined && mark.token === token ? mark.disk : undefined,
    isStamped: drive.meta.get(DRIVE_META.createToken) === token,
  }
}
