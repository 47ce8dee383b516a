import type { Server } from '@ascribe/cloudsigma'

/** What a machine takes at an instant: MHz and bytes while it is paid for, bytes of drives and addresses while they are its own. */
export type Level = { readonly isRunning: boolean; readonly cpu: number; readonly mem: number; readonly disk: number; readonly ip: number }

/** What a machine was seen as. `activeSince`: the cloud's word for since when it has run, which proves that it never stopped meanwhile. */
export type Look = { readonly level: Level; readonly size: Size; readonly activeSince: string | undefined; readonly status: string }

/** What it takes if it runs, and the addresses that it keeps if it does not. */
export type Size = { readonly cpu: number; readonly mem: number; readonly ip: number; readonly keptIp: number }

export const NOTHING: Level = { isRunning: false, cpu: 0, mem: 0, disk: 0, ip: 0 }

/** Whether processor and memory are paid for: from the start that was taken to the stop that was done (cloud-impersonation reference, 3.5). */
const UNPAID: ReadonlySet<string> = new Set(['stopped', 'deleting'])

/** Reads a server. `driveBytes`: of each of its drives. */
export function lookOf(server: Server, driveBytes: ReadonlyMap<string, number>): Look {
  const isRunning = !UNPAID.has(server.status)
  const size: Size = {
    cpu: whole(server.cpuMhz),
    mem: whole(server.memBytes),
    ip: addressesOf(server, ['dhcp', 'static']),
    keptIp: addressesOf(server, ['static']),
  }
  const disk = server.drives.reduce((sum, { drive }) => sum + whole(drive === undefined ? 0 : driveBytes.get(drive)), 0)
  return {
    level: levelOf(isRunning, size, disk),
    size,
    activeSince: isRunning ? server.activeSince : undefined,
    status: server.status,
  }
}

export function levelOf(isRunning: boolean, { cpu, mem, ip, keptIp }: Size, disk: number): Level {
  return isRunning ? { isRunning, cpu, mem, disk, ip } : { isRunning, cpu: 0, mem: 0, disk, ip: keptIp }
}

/**
 * By configuration, not by what is given out at the moment: an address comes some seconds after the start, and would make two stretches of one.
 * A static address is the machine's while it is stopped, too.
 */
function addressesOf({ nics }: Server, kinds: readonly string[]): number {
  return nics.filter(({ ipV4 }) => kinds.includes(ipV4?.conf ?? '')).length
}

function whole(value: number | undefined): number {
  return value === undefined || !Number.isSafeInteger(value) || value < 0 ? 0 : value
}

export function sameLevel(a: Level, b: Level): boolean {
  return a.isRunning === b.isRunning && a.cpu === b.cpu && a.mem === b.mem && a.disk === b.disk && a.ip === b.ip
}

/** What was certainly taken in a time of which only its ends were seen: the owner gets the benefit of the doubt. */
export function leastOf(a: Level, b: Level): Level {
  return {
    isRunning: a.isRunning && b.isRunning,
    cpu: Math.min(a.cpu, b.cpu),
    mem: Math.min(a.mem, b.mem),
    disk: Math.min(a.disk, b.disk),
    ip: Math.min(a.ip, b.ip),
  }
}
