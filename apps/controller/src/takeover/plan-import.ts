import { ANNOTATIONS } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { AccountPin } from '../authority/pin.ts'
import { annotationOf, serverOfProviderId } from '../machine/marks.ts'
import { isUuid } from '@ascribe/units'

/** A server in one of the accounts that a machine may be in. */
export type FoundServer = {
  readonly pin: AccountPin
  readonly uuid: string
  /** Whose it is, by the cloud. */
  readonly owner: string | undefined
  readonly name: string
  /** `machine-uid` of its meta: the reference provider's mark. */
  readonly machineUid: string | undefined
  readonly drives: readonly { readonly uuid: string; readonly name: string; readonly bootOrder: number | undefined }[]
}

/** What is known of a machine that may be taken over. */
export type ImportView = {
  readonly machine: CloudSigmaMachine
  /** The account that the object's owner selects; a text: why none. */
  readonly selected: AccountPin | string
  /** Its server, by id or by the reference provider's mark, wherever it was found. */
  readonly found: FoundServer | undefined
  /** Servers of its name without any mark, in the accounts that were looked at. */
  readonly sameName: readonly string[]
  /** Other machines, of any namespace, that name the server that was found, or that its mark names. */
  readonly rivals: readonly string[]
}

/** What becomes of one machine. Nothing is ever made. */
export type ImportPlan =
  /** It is ours already. */
  | { readonly do: 'skip'; readonly why: string }
  | { readonly do: 'refuse'; readonly why: string }
  | {
      readonly do: 'stamp'
      readonly pin: AccountPin
      readonly server: string | undefined
      /** By index of the disk. */
      readonly drives: readonly (string | undefined)[]
      readonly notes: readonly string[]
    }

/** The server's id on an object of the reference provider. A text that begins with "!" says what is wrong. */
export function referenceServer(machine: CloudSigmaMachine): string | undefined {
  const instance = machine.status?.instanceID
  return serverOfProviderId(machine.spec.providerID) ?? (instance !== undefined && isUuid(instance) ? instance : undefined)
}

/**
 * Decides how a machine of the reference provider is taken over: by its server's id and by whose the server is, never by its name. Its
 * account is the one that the server truly stands in, so that what was made in the platform's account stays there (R-21, 5.6).
 */
export function planImport({ machine, selected, found, sameName, rivals }: ImportView): ImportPlan {
  if (annotationOf(machine, ANNOTATIONS.createToken) !== undefined)
    return { do: 'skip', why: annotationOf(machine, ANNOTATIONS.imported) === undefined ? 'made by Ascribe' : 'imported already' }
  const { providerID } = machine.spec
  const instance = machine.status?.instanceID
  const named = serverOfProviderId(providerID)
  if (providerID !== undefined && named === undefined)
    return { do: 'refuse', why: `spec.providerID is ${JSON.stringify(providerID.slice(0, 80))}, which names no server` }
  if (named !== undefined && instance !== undefined && instance !== '' && instance !== named)
    return { do: 'refuse', why: `spec.providerID names ${named}, and status.instanceID ${instance}: a person has to say which` }
  // Tenants write provider ids: whoever names another's server would have it deleted with a machine of their own.
  if (found !== undefined && rivals.length > 0)
    return { do: 'refuse', why: `server ${found.uuid} is that of ${rivals.join(', ')} too: a person has to say whose it is` }
  if (found !== undefined) return stamp(machine, found)
  const server = referenceServer(machine)
  if (server !== undefined)
    return {
      do: 'refuse',
      why: `server ${server} is in neither the owner’s nor the platform’s account${typeof selected === 'string' ? `: ${selected}` : ''}`,
    }
  if (sameName.length > 0)
    return {
      do: 'refuse',
      why: `it names no server, and there is one of its name without a mark: ${sameName.join(', ')}. Put its id into spec.providerID, or delete it`,
    }
  if (typeof selected === 'string') return { do: 'refuse', why: selected }
  return { do: 'stamp', pin: selected, server: undefined, drives: [], notes: ['it has no server: the controller makes one'] }
}

function stamp(machine: CloudSigmaMachine, found: FoundServer): ImportPlan {
  const { pin, uuid, owner, machineUid } = found
  if (owner !== pin.userUUID) return { do: 'refuse', why: `server ${uuid} belongs to ${owner ?? 'nobody'}, not to ${pin.userUUID}` }
  const notes: string[] = []
  if (machineUid === undefined) notes.push('nothing in its meta says that it was made for a machine')
  if (pin.kind !== 'Owner') notes.push('it stands in the platform’s account, and stays there')
  if (machineUid !== undefined && machineUid !== machine.metadata.uid)
    notes.push('its meta has another machine-uid: the object was moved or made again')
  const { drives, others } = drivesOf(machine, found)
  if (others.length > 0) notes.push(`left alone, with whoever put them there: drives ${others.join(', ')}`)
  if (drives.every((each) => each === undefined)) notes.push('no drive is known to be its own: none is deleted with it')
  return { do: 'stamp', pin, server: uuid, drives, notes }
}

/**
 * Which drives of a server were made with it: those with the reference provider's name for them, and the one it boots from. Others are
 * volumes that storage drivers or people put there, and must outlive the machine.
 */
function drivesOf(
  machine: CloudSigmaMachine,
  { drives: all }: FoundServer,
): { readonly drives: readonly (string | undefined)[]; readonly others: readonly string[] } {
  const drives: (string | undefined)[] = []
  const others: string[] = []
  for (const { uuid, name, bootOrder } of all) {
    const index = name.startsWith(`${machine.metadata.name}-drive-`) ? Number(/-drive-(\d{1,2})$/.exec(name)?.[1] ?? 'NaN') : Number.NaN
    if (Number.isInteger(index) && drives[index] === undefined) drives[index] = uuid
    else if (bootOrder === 1 && drives[0] === undefined) drives[0] = uuid
    else others.push(uuid)
  }
  return { drives: Array.from(drives), others }
}
