import type { Drive, Server } from '@ascribe/cloudsigma'
import type { ClusterView } from './cluster-view.ts'
import { VOLUME_META } from './cluster-view.ts'
import { invalid } from './refusals.ts'

/**
 * Objects in the API's form, cut to what programs of a cluster need: no VNC password, no meta with bootstrap data, no owner, nothing of other
 * clusters.
 */
export function serverForm(server: Server): object {
  const { uuid, name, status, cpuMhz, smp, memBytes, drives, nics } = server
  return {
    uuid,
    name,
    status,
    cpu: cpuMhz,
    smp,
    mem: memBytes,
    drives: drives.map(({ drive, device, devChannel, bootOrder }) => ({
      drive: drive === undefined ? null : { uuid: drive },
      device,
      dev_channel: devChannel,
      boot_order: bootOrder,
    })),
    nics: nics.map(({ mac, vlan, ipV4, running }) => ({
      mac,
      vlan: vlan === undefined ? null : { uuid: vlan },
      ip_v4_conf: ipV4 === undefined ? null : { conf: ipV4.conf, ip: ipV4.ip === undefined ? null : { uuid: ipV4.ip } },
      runtime:
        running === undefined
          ? null
          : {
              interface_type: running.interfaceType,
              ip_v4: running.ipV4 === undefined ? null : { uuid: running.ipV4 },
              ip_v6: running.ipV6 === undefined ? null : { uuid: running.ipV6 },
            },
    })),
    tags: [],
    meta: {},
    resource_uri: `/api/2.0/servers/${uuid}/`,
  }
}

export function volumeForm(drive: Drive, { servers }: ClusterView): object {
  const { uuid, name, status, sizeBytes, media, storageType, mountedOn, meta } = drive
  return {
    uuid,
    name: meta.get(VOLUME_META.name) ?? name,
    status,
    size: sizeBytes,
    media,
    storage_type: storageType,
    mounted_on: mountedOn.filter((server) => servers.has(server)).map((server) => ({ uuid: server })),
    tags: [],
    meta: {},
    resource_uri: `/api/2.0/drives/${uuid}/`,
  }
}

/** The API's default. */
const LIMIT = 20

/** A page of a list as the API gives it; `limit=0` is all. Filters are `name` and `uuid`. */
export function pageForm(
  objects: readonly { readonly uuid: string; readonly name: string; readonly form: object }[],
  query: URLSearchParams,
): object {
  const [name, uuids] = [query.get('name'), query.get('uuid')?.split(',')]
  const found = objects.filter((each) => (name === null || each.name === name) && (uuids === undefined || uuids.includes(each.uuid)))
  const [limit, offset] = [countOf(query, 'limit') ?? LIMIT, countOf(query, 'offset') ?? 0]
  const page = limit === 0 ? found.slice(offset) : found.slice(offset, offset + limit)
  return { meta: { limit, offset, total_count: found.length }, objects: page.map(({ form }) => form) }
}

function countOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,6}$/.test(text)) throw invalid(`Cannot list: ${name} is no number`)
  return Number(text)
}
