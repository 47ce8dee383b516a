import { mayUse } from './access.ts'
import { invalidField, lacksPermission, notExist } from './api-reply.ts'
import type { ApiRequest, Fields } from './api-request.ts'
import type { Entity, Nic } from './entities.ts'
import { listOf, referenceOf } from './fields.ts'

const CONFS = ['dhcp', 'static', 'manual'] as const

/**
 * The NICs of a request. A NIC is known by its mac: an entry with a known one keeps it, one without makes a new NIC, an unknown
 * one is an error, and a NIC that is not listed is gone.
 * @throws {ApiRefusal}
 */
export function nicsOf(request: ApiRequest, fields: Fields, before: readonly Nic[] = []): readonly Nic[] {
  return listOf(fields, 'nics').map((each) => nicOf(request, each, before))
}

function nicOf(request: ApiRequest, fields: Fields, before: readonly Nic[]): Nic {
  const mac = fields['mac'] ?? undefined
  const known = before.find((each) => each.mac === mac)
  if (mac !== undefined && known === undefined) throw invalidField('mac', `There is no NIC with the mac ${JSON.stringify(mac)}`)
  const hasIp = isGiven(fields['ip_v4_conf']) || isGiven(fields['ip_v6_conf'])
  // An empty string is no VLAN: clients in the field send it for a public NIC.
  const vlan = isGiven(fields['vlan']) && fields['vlan'] !== '' ? usable(request, { kind: 'vlans', value: fields['vlan'] }) : null
  if (vlan !== null && hasIp) throw invalidField('nics', 'A NIC has either a vlan or an IP configuration, not both')
  const { model, boot_order: bootOrder } = fields
  return {
    mac: known?.mac ?? request.world.random.mac(),
    model: typeof model === 'string' ? model : 'virtio',
    bootOrder: typeof bootOrder === 'number' ? bootOrder : null,
    vlan,
    ipV4: ipV4Of(request, fields['ip_v4_conf']),
    ipV6: isGiven(fields['ip_v6_conf']) ? { conf: 'dhcp' } : null,
    address: known?.address ?? null,
  }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

function ipV4Of(request: ApiRequest, value: unknown): Nic['ipV4'] {
  if (!isGiven(value)) return null
  if (typeof value !== 'object') throw invalidField('ip_v4_conf', 'An object is required')
  const { conf: given, ip } = value as Fields
  const conf = CONFS.find((each) => each === given)
  if (conf === undefined) throw invalidField('conf', `Value ${JSON.stringify(given)} is not one of ${CONFS.join(', ')}`)
  if (conf !== 'static' && isGiven(ip)) throw invalidField('ip', `No ip may be given with conf ${conf}`)
  if (conf === 'static' && !isGiven(ip)) throw invalidField('ip', 'An ip is required with conf static')
  return { conf, ip: conf === 'static' ? usable(request, { kind: 'ips', value: ip }) : null }
}

/** A VLAN or address that the caller owns or may attach. */
function usable({ state, actor }: ApiRequest, { kind, value }: { kind: 'vlans' | 'ips'; value: unknown }): string {
  const uuid = referenceOf(value, kind === 'vlans' ? 'vlan' : 'ip')
  const entity: Entity | undefined = state.all(kind).get(uuid)
  if (entity === undefined) throw notExist(uuid)
  if (!mayUse(state, actor.user.uuid, { entity, permission: 'ATTACH' })) throw lacksPermission(actor.user.uuid, 'ATTACH', uuid)
  return uuid
}
