import type { ApiRequest } from './api-request.ts'
import { writeAudit } from './audit.ts'
import { DRIVE_BLOCK_BYTES } from './capabilities.ts'
import type { Drive, DriveStatus } from './entities.ts'
import { addJob } from './jobs.ts'
import { billTo, restingStatus } from './mounts.ts'

/** Sizes are rounded up to whole blocks. */
export function wholeBlocks(sizeBytes: number): number {
  return Math.ceil(sizeBytes / DRIVE_BLOCK_BYTES) * DRIVE_BLOCK_BYTES
}

export type CloneSpec = {
  readonly name: string
  readonly size?: number
  readonly media?: Drive['media']
  readonly storageType?: string
  readonly affinities?: readonly string[]
}

/** Adds a drive of the caller's in a passing state, which ends after `ms`. It is paid for from its first moment. */
export function addDrive(request: ApiRequest, drive: Drive, { ms, endsAs }: { ms: number; endsAs?: DriveStatus }): Drive {
  const { world, state } = request
  state.drives.set(drive.uuid, drive)
  billTo(request, drive, drive.owner)
  const { status } = drive
  world.schedule.after(ms, () => {
    if (drive.status === status) drive.status = endsAs ?? restingStatus(request, drive)
  })
  return drive
}

/** A copy of `source` for the caller, `cloning_dst` until it is done. The library's metadata goes into the copy's meta. */
export function addClone(request: ApiRequest, source: Drive, spec: CloneSpec): Drive {
  const { world, state, actor } = request
  const { knobs } = world
  const uuid = world.newUuid('drive')
  const job = addJob(request, { operation: 'drive_clone', kind: source.kind, from: source.uuid, to: uuid })
  const clone: Drive = {
    kind: 'drives',
    uuid,
    owner: actor.user.uuid,
    createdAt: world.now(),
    meta: { ...source.meta, ...source.image },
    tags: [],
    name: spec.name,
    size: wholeBlocks(spec.size ?? source.size),
    media: spec.media ?? source.media,
    storageType: spec.storageType ?? 'dssd',
    status: 'cloning_dst',
    allowMultimount: false,
    affinities: spec.affinities ?? [],
    payer: null,
    jobs: [job.uuid],
  }
  addDrive(request, clone, { ms: knobs.cloneMs, ...(knobs.cloneEndsAs === 'unavailable' && { endsAs: 'unavailable' }) })
  world.schedule.after(knobs.cloneMs, () => (clone.jobs = []))
  writeAudit(state, { action: 'clone_dst', entity: clone, at: world.now(), actor })
  return clone
}

/** Takes a drive away, from servers too, and off the bill. */
export function removeDrive(request: Pick<ApiRequest, 'world' | 'state' | 'region'>, uuid: string): void {
  const { world, state } = request
  const drive = state.drives.get(uuid)
  if (drive === undefined) return
  state.drives.delete(uuid)
  for (const server of state.serversWith(uuid)) server.mounts = server.mounts.filter((mount) => mount.drive !== uuid)
  billTo(request, drive, null)
  writeAudit(state, { action: 'delete', entity: drive, at: world.now() })
}
