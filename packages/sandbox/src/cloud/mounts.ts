import { mayUse } from './access.ts'
import { invalidField, lacksPermission, notExist, wrongState } from './api-reply.ts'
import type { ApiRequest, Fields } from './api-request.ts'
import type { Drive, Mount, Server } from './entities.ts'
import { listOf, referenceOf } from './fields.ts'

/** ide: two controllers with two units; virtio: controller and a unit from 0 to 5. */
const CHANNELS: Readonly<Record<Mount['device'], RegExp>> = { ide: /^[01]:[01]$/, virtio: /^\d{1,3}:[0-5]$/ }

/** The drives that a request puts on a server (`server` where there is one already). @throws {ApiRefusal} */
export function mountsOf(request: ApiRequest, fields: Fields, server?: Server): readonly Mount[] {
  const mounts = listOf(fields, 'drives').map(mountOf)
  for (const list of [mounts.map(({ device, devChannel }) => `${device} ${devChannel}`), mounts.map(({ drive }) => drive)]) {
    if (new Set(list).size < list.length) throw invalidField('drives', 'Every drive and every channel may stand once')
  }
  for (const { drive } of mounts) assertMountable(request, drive, server)
  return mounts
}

function mountOf(fields: Fields): Mount {
  const device = fields['device'] ?? 'virtio'
  if (device !== 'virtio' && device !== 'ide') throw invalidField('device', `${JSON.stringify(device)} is not a valid device`)
  const devChannel = fields['dev_channel'] ?? '0:0'
  if (typeof devChannel !== 'string' || !CHANNELS[device].test(devChannel))
    throw invalidField('dev_channel', `${JSON.stringify(devChannel)} is not a channel of ${device}`)
  const bootOrder = typeof fields['boot_order'] === 'number' ? fields['boot_order'] : null
  return { drive: referenceOf(fields['drive'], 'drive'), device, devChannel, bootOrder }
}

function assertMountable(request: ApiRequest, uuid: string, server: Server | undefined): void {
  const { state, actor } = request
  const drive = state.drives.get(uuid)
  if (drive === undefined) throw notExist(uuid)
  if (!mayUse(state, actor.user.uuid, { entity: drive, permission: 'ATTACH' })) throw lacksPermission(actor.user.uuid, 'ATTACH', uuid)
  const isElsewhere = state.serversWith(uuid).some((each) => each.uuid !== server?.uuid)
  if (isElsewhere && !drive.allowMultimount) throw wrongState({ uuid, target: 'mounted', expected: 'unmounted', current: drive.status })
}

/** What follows for drives from being on a server or not: their state, and who pays. */
export function refreshMounted(place: MountPlace, uuids: Iterable<string>): void {
  for (const uuid of uuids) {
    const drive = place.state.drives.get(uuid)
    if (drive === undefined) continue
    if (drive.status === 'mounted' || drive.status === 'unmounted') drive.status = restingStatus(place, drive)
    billTo(place, drive, payerOf(place, drive))
  }
}

type MountPlace = Pick<ApiRequest, 'world' | 'state' | 'region'>

/** A drive's owner; by the knob, whoever mounts it, where it was shared (open question 11). */
function payerOf({ world, state }: MountPlace, drive: Drive): string | null {
  if (world.knobs.sharedPayer === 'owner') return drive.owner
  return state.serversWith(drive.uuid).find(({ owner }) => owner !== drive.owner)?.owner ?? drive.owner
}

/** Takes a drive off one bill and puts it on another. */
export function billTo({ world, region }: Omit<MountPlace, 'state'>, drive: Drive, payer: string | null): void {
  if (drive.payer === payer) return
  if (drive.payer !== null) world.bills.change(drive.payer, region, { diskBytes: -BigInt(drive.size) })
  if (payer !== null) world.bills.change(payer, region, { diskBytes: BigInt(drive.size) })
  drive.payer = payer
}

/** `mounted` where it is on a server, else `unmounted`. */
export function restingStatus({ state }: Pick<ApiRequest, 'state'>, { uuid }: Drive): 'mounted' | 'unmounted' {
  return state.serversWith(uuid).length > 0 ? 'mounted' : 'unmounted'
}
