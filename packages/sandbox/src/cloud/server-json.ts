import { aclFields } from './access.ts'
import type { ApiRequest } from './api-request.ts'
import type { Nic, Server } from './entities.ts'
import { apiTime, ownerRef, refTo, uriOf } from './fields.ts'

type Shown = Readonly<Record<string, unknown>>

const NO_TRAFFIC = { bytes_recv: 0, bytes_sent: 0, packets_recv: 0, packets_sent: 0 }
const NO_IO = {
  bytes_read: 0,
  bytes_written: 0,
  count_flush: 0,
  count_read: 0,
  count_written: 0,
  total_time_ns_flush: 0,
  total_time_ns_read: 0,
  total_time_ns_write: 0,
}

/** A server in full. References, sent as strings, come back as objects. */
export function serverJson(request: ApiRequest, server: Server): Shown & { readonly resource_uri: string } {
  const isUp = server.activeSince !== null
  return {
    context: true,
    cpu: server.cpu,
    cpu_model: null,
    cpu_type: 'amd',
    cpus_instead_of_cores: false,
    drives: server.mounts.map(({ bootOrder, devChannel, device, drive }) => ({
      boot_order: bootOrder,
      dev_channel: devChannel,
      device,
      drive: refTo('drives', drive),
      runtime: isUp ? { io: NO_IO } : null,
    })),
    enable_numa: false,
    ...aclFields(request, server),
    hv_relaxed: false,
    hv_tsc: false,
    hypervisor: 'kvm',
    jobs: server.jobs.map((job) => refTo('jobs', job)),
    mem: server.mem,
    meta: server.meta,
    name: server.name,
    nics: server.nics.map((nic) => nicJson(nic, isUp)),
    owner: ownerRef(server.owner),
    pubkeys: [],
    requirements: [],
    resource_uri: uriOf('servers', server.uuid),
    runtime: runtimeJson(server),
    smp: server.smp,
    status: server.status,
    tags: server.tags.map((tag) => refTo('tags', tag)),
    uuid: server.uuid,
    vnc_password: server.vncPassword,
  }
}

/** What `/servers/` lists: neither meta nor tags. */
export const SERVER_SUMMARY: readonly string[] = ['name', 'owner', 'resource_uri', 'runtime', 'status', 'uuid']

function nicJson(nic: Nic, isUp: boolean): Shown {
  const { mac, model, bootOrder, vlan, ipV4, ipV6 } = nic
  return {
    boot_order: bootOrder,
    firewall_policy: null,
    ip_v4_conf: ipV4 === null ? null : { conf: ipV4.conf, ip: ipV4.ip === null ? null : refTo('ips', ipV4.ip) },
    ip_v6_conf: ipV6,
    mac,
    model,
    runtime: isUp ? nicRuntime(nic) : null,
    vlan: vlan === null ? null : refTo('vlans', vlan),
  }
}

function nicRuntime({ vlan, address }: Nic): Shown {
  return {
    interface_type: vlan === null ? 'public' : 'private',
    io: NO_TRAFFIC,
    ip_v4: address === null ? null : refTo('ips', address),
    ip_v6: null,
  }
}

function runtimeJson({ activeSince, nics }: Server): Shown | null {
  if (activeSince === null) return null
  return { active_since: apiTime(activeSince), nics: nics.map((nic) => ({ ...nicRuntime(nic), mac: nic.mac })) }
}
