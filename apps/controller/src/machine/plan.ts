import { BUSY_DRIVE, SLOW_MS, brokenPin, planSearch } from './plan-basics.ts'
import { planDelete } from './plan-delete.ts'
import { ownsDrive, ownsServer, unrecorded, secondOf } from './plan-ours.ts'
import type { Observed, SeenDrive, SeenServer, Step } from './types.ts'

/**
 * Decides the next thing to do for a machine, from what is known and from nothing else. Whatever is not known is read first; what could
 * be there twice is searched for before it is made; what is not proven to be ours is never changed; no 403 and no outage
 * ever means "gone". Reads cost calls, so that nothing is read that would not change the decision.
 */
export function plan(o: Observed): Step {
  if (o.pause !== undefined) return { do: 'hold', ...o.pause }
  return o.machine.isDeleting ? planDelete(o) : planLive(o)
}

function planLive(o: Observed): Step {
  const { machine } = o
  if (machine.token === undefined) return planPin(o)
  const broken = brokenPin(o)
  if (broken !== undefined) return { do: 'hold', ...broken }
  if (machine.made !== undefined) return machine.made
  if (o.refusal !== undefined) return { do: 'hold', ...o.refusal }
  return machine.server === undefined ? planCreate(o) : planServer(o, machine.server)
}

/** Before anything is written: whoever made this object may have made a server already. */
function planPin(o: Observed): Step {
  const { machine, selection } = o
  if (machine.hasFinalizer || machine.server !== undefined)
    return {
      do: 'hold',
      reason: 'WaitingForImport',
      message:
        'This machine was made by another provider. Take it over with `ascribe machines import`; nothing is made or changed until then',
    }
  const closed = o.gate ?? o.invalid
  if (closed !== undefined) return { do: 'hold', ...closed }
  if (selection === undefined)
    return { do: 'hold', reason: 'WaitingForOwner', message: 'The owner has not been selected yet', retryAfterMs: 1000 }
  if (selection.is === 'hold') return { do: 'hold', ...selection.hold }
  if (o.quota !== undefined) return { do: 'hold', ...o.quota }
  return { do: 'pin' }
}

/** Everything up to the POST of the server. */
function planCreate(o: Observed): Step {
  // A drive of ours that is on a server: that server is the one whose POST nobody knows the end of.
  const found = o.search === undefined ? undefined : unrecorded(o)
  if (found !== undefined) return found
  if (o.doubt.is !== 'none') return planSearch(o)
  if (o.machine.claimed !== undefined) return claimedByOthers(o.machine.claimed)
  const closed = o.gate ?? o.invalid
  if (closed !== undefined) return { do: 'hold', ...closed }
  const missing = o.disks.findIndex(({ recorded }) => recorded === undefined)
  if (missing >= 0) return o.quota !== undefined && missing === 0 ? { do: 'hold', ...o.quota } : { do: 'clone', disk: missing }
  for (const [disk, state] of o.disks.entries()) {
    const step = planDisk(o, { disk, ...state })
    if (step !== undefined) return step
  }
  if (o.addresses !== undefined) return { do: 'hold', ...o.addresses }
  return { do: 'create-server' }
}

/** Who may write a machine may name any server of the owner's in it: nothing is adopted, and nothing is made beside it. */
function claimedByOthers(claimed: string): Step {
  return {
    do: 'hold',
    reason: 'WaitingForProof',
    message: `spec.providerID or status.instanceID names server ${claimed}, which the controller did not make for this machine. It is left alone: delete the Machine, a new one starts afresh`,
    retryAfterMs: SLOW_MS,
  }
}

/** `undefined` when the disk is ready to be put on a server. */
function planDisk(o: Observed, { disk, recorded, drive }: Observed['disks'][number] & { readonly disk: number }): Step | undefined {
  if (recorded === undefined) return { do: 'clone', disk }
  switch (drive.is) {
    case 'unread':
      return { do: 'read-drive', drive: recorded }
    case 'barred':
      return { do: 'hold', reason: 'ServerNotAccessible', message: `Drive ${recorded}: ${drive.message}`, retryAfterMs: SLOW_MS }
    case 'gone':
      return {
        do: 'hold',
        reason: 'ServerNotFound',
        message: `Drive ${recorded} was deleted before its server was made. Delete the Machine; a new one starts afresh`,
      }
    case 'seen':
      return planSeenDisk(o, { disk, drive: drive.thing })
  }
}

function planSeenDisk(o: Observed, { disk, drive }: { readonly disk: number; readonly drive: SeenDrive }): Step | undefined {
  if (!ownsDrive(o, drive)) return mismatch(`Drive ${drive.uuid}`)
  if (BUSY_DRIVE.has(drive.status))
    return { do: 'hold', reason: 'WaitingForDrive', message: `Drive ${disk} is ${drive.status}`, retryAfterMs: o.pollMs }
  if (drive.status === 'mounted') {
    if (o.search === undefined) return { do: 'search' }
    return {
      do: 'hold',
      reason: 'WaitingForDrive',
      message: `Drive ${drive.uuid} is on server ${drive.mountedOn[0] ?? '(unknown)'}, which is not this machine's`,
      retryAfterMs: SLOW_MS / 10,
    }
  }
  if (drive.status !== 'unmounted')
    return {
      do: 'hold',
      reason: 'WaitingForDrive',
      message: `Drive ${drive.uuid} is ${drive.status}. If it stays so, delete the Machine`,
      retryAfterMs: SLOW_MS / 10,
    }
  return drive.isStamped ? undefined : { do: 'stamp', disk, drive: drive.uuid }
}

function mismatch(what: string): Step {
  return {
    do: 'hold',
    reason: 'OwnerMismatch',
    message: `${what} does not belong to the pinned owner. It is left alone: see docs/runbooks/owner-mismatch.md`,
    retryAfterMs: SLOW_MS,
  }
}

/** A machine that has a server. It is never made again, whatever became of it. */
function planServer(o: Observed, server: string): Step {
  switch (o.server.is) {
    case 'unread':
      return { do: 'read-server', server }
    case 'gone':
      return {
        do: 'hold',
        reason: 'ServerNotFound',
        message: `Server ${server} was deleted by somebody else. It is not made again: delete the Machine, or let its MachineHealthCheck do so`,
      }
    case 'barred':
      return {
        do: 'hold',
        reason: 'ServerNotAccessible',
        message: `Server ${server}: ${o.server.message}. It is neither made again nor let go: see docs/runbooks/server-not-accessible.md`,
        retryAfterMs: SLOW_MS,
      }
    case 'seen':
      return ownsServer(o, o.server.thing) ? planOwnServer(o, o.server.thing) : mismatch(`Server ${server}`)
  }
}

function planOwnServer(o: Observed, server: SeenServer): Step {
  if (o.machine.claimed !== undefined)
    return {
      do: 'hold',
      reason: 'InvalidSpec',
      message: `spec.providerID names server ${o.machine.claimed}, and the one that was made is ${server.uuid}. Delete the Machine, a new one starts afresh`,
    }
  if (!o.machine.isServerRecorded) return { do: 'record', server: server.uuid }
  switch (server.status) {
    case 'stopped':
      return { do: 'start', server: server.uuid, isRestart: o.machine.isProvisioned }
    case 'running':
      return planRunning(o, server)
    case 'starting':
      return { do: 'hold', reason: 'WaitingForServer', message: 'The server is starting', retryAfterMs: o.pollMs }
    case 'stopping':
      return { do: 'hold', reason: 'WaitingForServer', message: 'The server is stopping; it will be started again', retryAfterMs: o.pollMs }
    default:
      return {
        do: 'hold',
        reason: 'WaitingForServer',
        message: `The server is ${server.status}: this heals, or the cloud's support has to heal it`,
        retryAfterMs: SLOW_MS / 10,
      }
  }
}

function planRunning(o: Observed, server: SeenServer): Step {
  if (o.isSweepDue) {
    if (o.search === undefined) return { do: 'search' }
    const second = secondOf(o, o.search)
    if (second !== undefined) return second
  }
  if (o.machine.hasJoined && server.hasBootstrapData) return { do: 'strip-bootstrap', server: server.uuid }
  return { do: 'rest' }
}
