import { CloudSigmaError, assertOwner } from '@ascribe/cloudsigma'
import type { Drive, Made } from '@ascribe/cloudsigma'
import { CALL_MS, cloudOf, orNothing, perform } from './asking.ts'
import type { Asking } from './asking.ts'
import { readNewVolume, readSize } from './bodies.ts'
import type { NewVolume } from './bodies.ts'
import { VOLUME_META, isVolumeOf } from './cluster-view.ts'
import { createLanes } from './lanes.ts'
import { BrokerRefusal, later, nothingThere } from './refusals.ts'
import type { BrokerReply } from './types.ts'
import { pageForm, volumeForm } from './wire-form.ts'

/** Volumes of clusters. A volume of a name is made once for a cluster, however often it is asked for. */
export type Volumes = {
  list(asking: Asking): Promise<BrokerReply>
  get(asking: Asking, uuid: string): Promise<BrokerReply>
  create(asking: Asking): Promise<BrokerReply>
  resize(asking: Asking, uuid: string): Promise<BrokerReply>
  remove(asking: Asking, uuid: string): Promise<BrokerReply>
}

const DOUBTS_MAX = 10_000

export function createVolumes(timing: { readonly listGraceMs: number; readonly monotonic: () => number }): Volumes {
  return { list: listVolumes, get: getVolume, resize: resizeVolume, remove: removeVolume, create: createMaker(timing) }
}

/**
 * The cloud has no create that may be repeated, and its lists lag. So a volume is looked for by mark and name before it is made; for the
 * listing grace after a process has begun, or after a create that may have made one, none of that name is made at all.
 */
function createMaker({ listGraceMs, monotonic }: { readonly listGraceMs: number; readonly monotonic: () => number }): Volumes['create'] {
  const bornAt = monotonic()
  /** By mark and name: when it may be looked for again. */
  const doubts = new Map<string, number>()
  const making = new Map<string, Promise<BrokerReply>>()
  const lanes = createLanes()

  const waitMs = (id: string): number => Math.max(bornAt + listGraceMs, doubts.get(id) ?? 0) - monotonic()
  function doubt(id: string): void {
    doubts.delete(id)
    doubts.set(id, monotonic() + listGraceMs)
    const oldest = doubts.size > DOUBTS_MAX ? doubts.keys().next().value : undefined
    if (oldest !== undefined) doubts.delete(oldest)
  }

  async function make(asking: Asking, { id, wanted }: { readonly id: string; readonly wanted: NewVolume }): Promise<BrokerReply> {
    const all = await volumesOf(asking)
    const found = all.find((drive) => drive.meta.get(VOLUME_META.name) === wanted.name)
    if (found !== undefined) return { status: 200, body: { objects: [volumeForm(found, asking.view)] } }
    const wait = waitMs(id)
    if (wait > 0) throw later(`Cannot make volume ${wanted.name} yet: one that was made before may not be listed yet`, wait / 1000)
    mindLimits(asking, all.length)
    try {
      const made = await askCloud(asking, wanted)
      // The next one that asks may come before the list has it.
      doubt(id)
      assertOwner(made, asking.view.pin.userUUID)
      return { status: 201, body: { objects: [volumeForm(made.object, asking.view)] } }
    } catch (thrown) {
      if (thrown instanceof CloudSigmaError && thrown.fault.effect !== 'none') doubt(id)
      throw thrown
    }
  }

  return (asking) => {
    const wanted = readNewVolume(asking.body)
    const { mark } = asking.view
    const id = `${mark} ${wanted.name}`
    // Nothing is awaited between the look and the set: two that ask at once get one volume. Others of the cluster wait, for the limits' sake.
    const known = making.get(id) ?? lanes.run(mark, () => make(asking, { id, wanted })).finally(() => making.delete(id))
    making.set(id, known)
    return known
  }
}

async function askCloud(asking: Asking, { name, size, storageType }: NewVolume): Promise<Made<Drive>> {
  const cloud = await cloudOf(asking)
  const meta = { [VOLUME_META.mark]: asking.view.mark, [VOLUME_META.name]: name }
  return perform(asking, { verb: 'create_drive' }, (options) =>
    cloud.drives.create({ name, sizeBytes: size, ...(storageType !== undefined && { storageType }), meta }, options),
  )
}

async function listVolumes(asking: Asking): Promise<BrokerReply> {
  const drives = await volumesOf(asking)
  const objects = drives.map((drive) => ({
    uuid: drive.uuid,
    name: drive.meta.get(VOLUME_META.name) ?? '',
    form: volumeForm(drive, asking.view),
  }))
  return { status: 200, body: pageForm(objects, asking.query) }
}

async function getVolume(asking: Asking, uuid: string): Promise<BrokerReply> {
  return { status: 200, body: volumeForm(await volumeOf(asking, uuid), asking.view) }
}

async function resizeVolume(asking: Asking, uuid: string): Promise<BrokerReply> {
  const sizeBytes = readSize(asking.body)
  const { name, sizeBytes: before = 0 } = await volumeOf(asking, uuid)
  if (sizeBytes < before) throw new BrokerRefusal(400, 'validation', { message: 'Cannot make a volume smaller' })
  const cloud = await cloudOf(asking)
  if (sizeBytes > before)
    await perform(asking, { verb: 'resize_drive', resource: { type: 'drive', uuid } }, (options) =>
      cloud.drives.resize(uuid, { name, sizeBytes }, options),
    )
  return { status: 202, body: { action: 'resize', result: 'success', uuid } }
}

async function removeVolume(asking: Asking, uuid: string): Promise<BrokerReply> {
  const drive = await volumeOf(asking, uuid)
  if (drive.mountedOn.length > 0) throw new BrokerRefusal(409, 'validation', { message: 'Cannot delete a volume that is attached' })
  const cloud = await cloudOf(asking, 'cleanup')
  await perform(asking, { verb: 'delete_drive', resource: { type: 'drive', uuid } }, async (options) => {
    try {
      await cloud.drives.delete(uuid, options)
    } catch (thrown) {
      if (!(thrown instanceof CloudSigmaError) || thrown.fault.kind !== 'notFound') throw thrown
    }
  })
  return { status: 204, body: undefined }
}

async function volumesOf(asking: Asking): Promise<readonly Drive[]> {
  const cloud = await cloudOf(asking)
  const drives = await cloud.drives.list({}, { whole: true, deadlineMs: CALL_MS })
  return drives.filter((drive) => isVolumeOf(drive, asking.view))
}

/** A volume of this cluster. @throws {BrokerRefusal} 404, also for a drive of a machine: that is not the program's to touch */
export async function volumeOf(asking: Asking, uuid: string): Promise<Drive> {
  const cloud = await cloudOf(asking, 'cleanup')
  const drive = await orNothing(cloud.drives.get(uuid, { deadlineMs: CALL_MS }))
  if (!isVolumeOf(drive, asking.view)) throw nothingThere()
  return drive
}

/** The owner agreed to pay for so many drives (H-13). */
function mindLimits({ deps, view, caller }: Asking, volumes: number): void {
  const { limit, used } = deps.authority.limits(view.pin, caller.namespace).drives
  if (limit === undefined || used + volumes < limit) return
  throw new BrokerRefusal(403, 'permission', {
    message: `QuotaExceeded: the owner allows ${limit} drives, and machines have ${used} and volumes of this cluster ${volumes} of them`,
  })
}
