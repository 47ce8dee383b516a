import type { Observed, Search, SeenDrive, SeenServer, Step } from './types.ts'

/** Whether the cloud says that a server is in the pinned account. Lists hold foreign ones. */
export function ownsServer({ machine: { pin } }: Pick<Observed, 'machine'>, { owner }: SeenServer): boolean {
  return typeof pin === 'object' && owner !== undefined && owner === pin.userUUID
}

export function ownsDrive({ machine: { pin } }: Pick<Observed, 'machine'>, { owner }: SeenDrive): boolean {
  return typeof pin === 'object' && owner !== undefined && owner === pin.userUUID
}

/** Drives that only we can have named, in the owner's account. */
function markedDrives(o: Observed, { drives }: Search): readonly SeenDrive[] {
  return drives.filter((drive) => drive.disk !== undefined && ownsDrive(o, drive))
}

/**
 * Servers that are certainly of this machine: token, proof, owner, and on drives that were made for it. The last tells them from a copy
 * that the owner made of the machine, which has its meta.
 */
export function ourServers(o: Observed, search: Search): readonly SeenServer[] {
  const ours = new Set([...markedDrives(o, search).map(({ uuid }) => uuid), ...o.disks.flatMap(({ recorded }) => recorded ?? [])])
  return search.servers.filter(
    (server) =>
      server.isMarked &&
      server.isProven &&
      ownsServer(o, server) &&
      server.drives.length > 0 &&
      server.drives.every((drive) => ours.has(drive)),
  )
}

/** In our order: one that ran before one that never did, then by uuid, so that everybody takes the same. */
function firstServer(servers: readonly SeenServer[]): SeenServer | undefined {
  return servers.toSorted((a, b) => Number(a.isIdle) - Number(b.isIdle) || (a.uuid < b.uuid ? -1 : 1))[0]
}

/** The one that is named on the object, if it bears our proof: the record of it and of its drives was lost. */
function claimedServer(o: Observed, { servers }: Search): SeenServer | undefined {
  return servers.find((each) => each.uuid === o.machine.claimed && each.isMarked && each.isProven && ownsServer(o, each))
}

/** Puts on the object what a search found and the object does not have; `undefined` when it has all. */
export function unrecorded(o: Observed): Step | undefined {
  const { search, machine } = o
  if (search === undefined) return undefined
  const server = machine.server === undefined ? (firstServer(ourServers(o, search)) ?? claimedServer(o, search)) : undefined
  if (machine.server === undefined && server === undefined) {
    const unproven = search.servers.find((each) => each.isMarked && ownsServer(o, each) && !each.isProven)
    if (unproven !== undefined)
      return {
        do: 'hold',
        reason: 'WaitingForProof',
        message: `Server ${unproven.uuid} bears this machine's token without our proof, and is not adopted. Delete it, or take it over with \`ascribe machines import\``,
        retryAfterMs: 300_000,
      }
  }
  const drives = o.disks.flatMap(({ recorded }, disk) => {
    if (recorded !== undefined) return []
    const drive = firstDrive(
      markedDrives(o, search).filter((each) => each.disk === disk),
      server,
    )
    return drive === undefined ? [] : [{ disk, drive: drive.uuid }]
  })
  if (server === undefined && drives.length === 0) return undefined
  return { do: 'record', ...(server !== undefined && { server: server.uuid }), ...(drives.length > 0 && { drives }) }
}

function firstDrive(drives: readonly SeenDrive[], server: SeenServer | undefined): SeenDrive | undefined {
  const isOn = (drive: SeenDrive): number => Number(server?.drives.includes(drive.uuid) === true)
  return drives.toSorted((a, b) => isOn(b) - isOn(a) || (a.uuid < b.uuid ? -1 : 1))[0]
}

/** Takes away what was made a second time: never started, on nothing, and not what stands on the object. */
export function secondOf(o: Observed, search: Search): Step | undefined {
  const server = ourServers(o, search).find((each) => each.isIdle && each.uuid !== o.machine.server)
  // On a live machine only beside a recorded one: without it the other would be the first.
  if (server !== undefined && o.machine.server !== undefined) return { do: 'delete-server', server: server.uuid, isSecond: true }
  const drive = secondDrive(o, search)
  return drive === undefined ? undefined : { do: 'delete-drive', drive: drive.uuid, isSecond: true }
}

function secondDrive(o: Observed, search: Search): SeenDrive | undefined {
  return markedDrives(o, search).find(
    (drive) =>
      drive.disk !== undefined &&
      (drive.status === 'unmounted' || drive.status === 'unavailable') &&
      drive.mountedOn.length === 0 &&
      !o.disks.some(({ recorded }) => recorded === drive.uuid) &&
      (o.disks[drive.disk]?.recorded !== undefined || o.machine.isDeleting),
  )
}

/** Marked drives that are still busy, and so cannot be deleted yet. */
export function busySecond(o: Observed, search: Search): SeenDrive | undefined {
  return markedDrives(o, search).find(
    (drive) => drive.status !== 'unmounted' && drive.status !== 'unavailable' && !o.disks.some(({ recorded }) => recorded === drive.uuid),
  )
}
