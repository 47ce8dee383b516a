import { BUSY_DRIVE, SLOW_MS, brokenPin, planSearch } from './plan-basics.ts'
import { busySecond, ourServers, ownsDrive, ownsServer, secondOf, unrecorded } from './plan-ours.ts'
import type { Hold, Observed, SeenServer, Step } from './types.ts'

/**
 * Ends everything that was made for a machine, in order: server stopped, server gone, drives gone, nothing found with its token; then
 * metering, then the finalizer. The finalizer goes at one place only, `release`, and nothing leads there that was not
 * said by the API: neither a 403 nor an outage, nor an id that is missing (R-5, R-24, H-12).
 */
export function planDelete(o: Observed): Step {
  const { machine } = o
  if (!machine.hasFinalizer) return { do: 'ignore' }
  if (machine.isAbandoned) return { do: 'abandon' }
  if (machine.token === undefined)
    return blocked({
      reason: 'WaitingForImport',
      message:
        'it was made by another provider, and nothing is known of its server. Take it over with `ascribe machines import`, then it is deleted',
    })
  // Only a quarantined thing stops this: it is somebody else's, and not ours to delete.
  const broken = brokenPin(o)
  if (broken !== undefined) return blocked(broken)
  if (machine.made !== undefined) return machine.made
  if (isNothingMade(o)) return { do: 'release' }
  if (o.refusal !== undefined) return blocked(o.refusal)
  return planServerAway(o) ?? planDrivesAway(o) ?? planVerify(o)
}

/** The token was written by this process, and no create was ever sent with it. */
function isNothingMade(o: Observed): boolean {
  return o.doubt.is === 'none' && o.machine.server === undefined && o.disks.every(({ recorded }) => recorded === undefined)
}

/** `undefined` when there is no server, as far as the object knows. */
function planServerAway(o: Observed): Step | undefined {
  const { server } = o.machine
  if (server === undefined) return undefined
  switch (o.server.is) {
    case 'unread':
      return { do: 'read-server', server }
    case 'gone':
      return undefined
    case 'barred':
      return blocked({ reason: 'ServerNotAccessible', message: `server ${server}: ${o.server.message}`, retryAfterMs: SLOW_MS })
    case 'seen':
      if (!ownsServer(o, o.server.thing))
        return blocked({ reason: 'OwnerMismatch', message: `server ${server} does not belong to the pinned owner`, retryAfterMs: SLOW_MS })
      return end(o, o.server.thing)
  }
}

/** Stop, wait, delete. Drives are deleted by name afterwards: a recursive delete would take volumes along that others put on the server. */
function end(o: Observed, server: SeenServer): Step {
  switch (server.status) {
    case 'stopped':
      return { do: 'delete-server', server: server.uuid, isSecond: server.uuid !== o.machine.server }
    case 'stopping':
    case 'deleting':
      return { do: 'hold', reason: 'WaitingForServer', message: `Server ${server.uuid} is ${server.status}`, retryAfterMs: o.pollMs }
    default:
      return { do: 'stop', server: server.uuid }
  }
}

function planDrivesAway(o: Observed): Step | undefined {
  if (o.doubt.is !== 'none') return unrecorded(o) ?? planSearch(o)
  for (const { recorded, drive } of o.disks) {
    if (recorded === undefined || drive.is === 'gone') continue
    if (drive.is === 'unread') return { do: 'read-drive', drive: recorded }
    if (drive.is === 'barred')
      return blocked({ reason: 'ServerNotAccessible', message: `drive ${recorded}: ${drive.message}`, retryAfterMs: SLOW_MS })
    const seen = drive.thing
    if (!ownsDrive(o, seen))
      return blocked({ reason: 'OwnerMismatch', message: `drive ${recorded} does not belong to the pinned owner`, retryAfterMs: SLOW_MS })
    if (BUSY_DRIVE.has(seen.status))
      return { do: 'hold', reason: 'WaitingForDrive', message: `Drive ${recorded} is ${seen.status}`, retryAfterMs: o.pollMs }
    if (seen.mountedOn.length > 0)
      return blocked({
        reason: 'WaitingForDrive',
        message: `drive ${recorded} is on server ${seen.mountedOn[0]}, which is not this machine's. Take it off there, or abandon it`,
        retryAfterMs: SLOW_MS / 10,
      })
    return { do: 'delete-drive', drive: recorded, isSecond: false }
  }
  return undefined
}

/** A last look by token, newer than the last delete: a second server, or a drive that a broken connection left. */
function planVerify(o: Observed): Step {
  if (o.search === undefined) return { do: 'search' }
  const standing = ourServers(o, o.search).find(({ uuid }) => uuid !== o.machine.server)
  if (standing !== undefined) return end(o, standing)
  const second = secondOf(o, o.search)
  if (second !== undefined) return second
  const busy = busySecond(o, o.search)
  if (busy !== undefined)
    return {
      do: 'hold',
      reason: 'WaitingForDrive',
      message: `Drive ${busy.uuid} is ${busy.status}`,
      retryAfterMs: Math.max(o.pollMs, 1000),
    }
  return { do: 'release' }
}

/** A delete that cannot go on says why and how it can; the finalizer stays. */
function blocked({ reason, message, retryAfterMs }: Hold): Step {
  return {
    do: 'hold',
    reason: 'DeletionBlocked',
    message: `Deletion waits (${reason}): ${message}. See docs/runbooks/deletion-blocked.md`,
    retryAfterMs,
  }
}
