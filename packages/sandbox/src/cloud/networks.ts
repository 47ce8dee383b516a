import type { Reply } from '../oauth/http.ts'
import { aclFields, required } from './access.ts'
import { type ApiRequest, fieldsOf, ok } from './api-request.ts'
import type { Ip, Vlan } from './entities.ts'
import { metaOf, ownerRef, refTo, uriOf } from './fields.ts'
import { listEntities, picked } from './lists.ts'
import { setTags, tagsOf } from './resource-tags.ts'

type Shown = Readonly<Record<string, unknown>>

const NETMASK = 24
const NAMESERVERS = ['69.194.139.62', '178.22.66.167', '178.22.71.56']
const subscriptionRef = (id: number | null): Shown | null => (id === null ? null : { id, resource_uri: uriOf('subscriptions', id) })

function vlanJson(request: ApiRequest, vlan: Vlan): Shown {
  const { uuid, meta, owner, tags, subscription } = vlan
  const servers = [...request.state.servers.values()].filter(({ nics }) => nics.some((nic) => nic.vlan === uuid))
  return {
    bottom_vlan_tag: null,
    ...aclFields(request, vlan),
    meta,
    owner: ownerRef(owner),
    resource_uri: uriOf('vlans', uuid),
    servers: servers.map((server) => refTo('servers', server.uuid)),
    subscription: subscriptionRef(subscription),
    tags: tags.map((tag) => refTo('tags', tag)),
    uuid,
  }
}

function ipJson(request: ApiRequest, ip: Ip): Shown {
  const { uuid, meta, owner, tags, subscription, server } = ip
  return {
    gateway: uuid.replace(/\.\d+$/, '.1'),
    ...aclFields(request, ip),
    meta,
    nameservers: NAMESERVERS,
    netmask: NETMASK,
    owner: ownerRef(owner),
    resource_uri: uriOf('ips', uuid),
    server: server === null ? null : refTo('servers', server),
    subscription: subscriptionRef(subscription),
    tags: tags.map((tag) => refTo('tags', tag)),
    uuid,
  }
}

const VLAN_SUMMARY = ['owner', 'resource_uri', 'uuid']
const IP_SUMMARY = [...VLAN_SUMMARY, 'server']

export const listVlans = (request: ApiRequest): Reply =>
  listEntities(request, request.state.vlans.values(), (vlan) => picked(vlanJson(request, vlan), VLAN_SUMMARY))
export const listVlansDetail = (request: ApiRequest): Reply =>
  listEntities(request, request.state.vlans.values(), (vlan) => vlanJson(request, vlan))
export const getVlan = (request: ApiRequest): Reply => ok(vlanJson(request, required(request, request.state.vlans, 'LIST')))
export const listIps = (request: ApiRequest): Reply =>
  listEntities(request, request.state.ips.values(), (ip) => picked(ipJson(request, ip), IP_SUMMARY))
export const listIpsDetail = (request: ApiRequest): Reply => listEntities(request, request.state.ips.values(), (ip) => ipJson(request, ip))
/** The uuid of an address is the address. */
export const getIp = (request: ApiRequest): Reply => ok(ipJson(request, required(request, request.state.ips, 'LIST')))

/** Only meta and tags of a VLAN can be changed: it comes from a subscription and goes with it. */
export function putVlan(request: ApiRequest): Reply {
  const vlan = required(request, request.state.vlans, 'EDIT')
  changeMeta(request, vlan)
  return ok(vlanJson(request, vlan))
}

export function putIp(request: ApiRequest): Reply {
  const ip = required(request, request.state.ips, 'EDIT')
  changeMeta(request, ip)
  return ok(ipJson(request, ip))
}

function changeMeta(request: ApiRequest, entity: Vlan | Ip): void {
  const fields = fieldsOf(request)
  const tags = tagsOf(request, fields)
  entity.meta = metaOf(fields)
  if (tags !== undefined) setTags(entity, tags)
}
