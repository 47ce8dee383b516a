import { serverSpecOf } from '@ascribe/cloudsigma'
import type { Server, ServerDriveSpec } from '@ascribe/cloudsigma'
import { SERVER_META } from '@ascribe/kinds'
import { cloudOf, perform, serverOf } from './asking.ts'
import type { Asking } from './asking.ts'
import { readDrives } from './bodies.ts'
import { createLanes } from './lanes.ts'
import { BrokerRefusal, invalid, later } from './refusals.ts'
import type { BrokerReply } from './types.ts'
import { volumeOf } from './volumes.ts'
import { serverForm } from './wire-form.ts'

const JOIN_S = 10
/** A virtio controller has six units; the API takes some controllers. */
const CONTROLLERS_MAX = 4
const UNITS = 6

/** Attaches and detaches volumes, one server at a time: a PUT replaces all of a server, so two at once would undo each other. */
export function createAttachments(): { change(asking: Asking, uuid: string): Promise<BrokerReply> } {
  const lanes = createLanes()
  return {
    change(asking, uuid) {
      const wanted = readDrives(asking.body)
      return lanes.run(uuid, () => changeDrives(asking, { uuid, wanted }))
    },
  }
}

/** Only drives change, and of drives only volumes of this cluster; all else of the server goes back as it is. */
async function changeDrives(
  asking: Asking,
  { uuid, wanted }: { readonly uuid: string; readonly wanted: readonly string[] },
): Promise<BrokerReply> {
  const server = await serverOf(asking, uuid)
  // Until the node has joined the machine's controller writes this server too, to take the bootstrap data out of it.
  if (server.meta.get(SERVER_META.userData) !== undefined)
    throw later('Cannot change the drives yet: the machine has not joined its cluster', JOIN_S)
  const current = server.drives.flatMap(({ drive }) => drive ?? [])
  const added = wanted.filter((drive) => !current.includes(drive))
  const removed = current.filter((drive) => !wanted.includes(drive))
  if (new Set(wanted).size !== wanted.length) throw invalid('Cannot change the drives: one stands there twice')
  if (added.length + removed.length === 0) return { status: 200, body: serverForm(server) }
  if (added.length + removed.length > 1)
    throw invalid('Cannot change the drives: attach or detach one volume at a time, and leave the others in the list')
  for (const drive of added) {
    const volume = await volumeOf(asking, drive)
    if (volume.mountedOn.length > 0)
      throw new BrokerRefusal(409, 'validation', { message: 'Cannot attach a volume that is attached already' })
  }
  for (const drive of removed) await volumeOf(asking, drive)
  const spec = serverSpecOf(server)
  const kept = (spec.drives ?? []).filter(({ drive }) => wanted.includes(drive))
  const drives: ServerDriveSpec[] = [
    ...kept,
    ...added.map((drive): ServerDriveSpec => ({ drive, device: 'virtio', devChannel: freeChannel(server) })),
  ]
  const cloud = await cloudOf(asking)
  const verb = added.length > 0 ? 'attach_drive' : 'detach_drive'
  const changed = await perform(asking, { verb, resource: { type: 'drive', uuid: added[0] ?? removed[0] ?? uuid } }, (options) =>
    cloud.servers.update(uuid, { ...spec, drives }, options),
  )
  return { status: 200, body: serverForm(changed) }
}

function freeChannel({ drives }: Server): string {
  const taken = new Set(drives.filter(({ device }) => device !== 'ide').map(({ devChannel }) => devChannel))
  for (let index = 0; index < CONTROLLERS_MAX * UNITS; index += 1) {
    const channel = `${Math.floor(index / UNITS)}:${index % UNITS}`
    if (!taken.has(channel)) return channel
  }
  throw new BrokerRefusal(409, 'validation', { message: `Cannot attach another volume: the server has ${drives.length} drives` })
}
