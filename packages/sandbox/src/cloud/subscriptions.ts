import type { Reply } from '../oauth/http.ts'
import { invalidField } from './api-reply.ts'
import { type ApiRequest, assertRoom, created, fieldsOf } from './api-request.ts'
import type { Subscription } from './entities.ts'
import { apiTime, uriOf } from './fields.ts'
import { listReply } from './lists.ts'
import type { World } from './world.ts'

const YEAR_MS = 365 * 24 * 3600 * 1000
const STATIC_PER_BLOCK = 240

export type Purchase = {
  readonly region: string
  readonly owner: string
  readonly resource: 'vlan' | 'ip'
  /** When the object came to be; a first one is older than any list lag. */
  readonly at: number
}

/** Buys a VLAN or a static address: that is how they come to be. They go when the subscription ends. */
export function subscribe(world: World, { region, owner, resource, at }: Purchase): Subscription {
  const state = world.state(region)
  const id = state.subscriptions.length + 1
  const common = { owner, createdAt: at, meta: {}, tags: [], subscription: id }
  const uuid = resource === 'vlan' ? world.newUuid('vlan') : addressNo(id, world.regions.names.indexOf(region))
  if (resource === 'vlan') state.vlans.set(uuid, { kind: 'vlans', uuid, ...common })
  else state.ips.set(uuid, { kind: 'ips', uuid, server: null, ...common })
  const subscription: Subscription = {
    id,
    uuid: world.newUuid('subscription'),
    owner,
    resource,
    subscribedObject: uuid,
    startAt: world.now(),
    endAt: world.now() + YEAR_MS,
  }
  state.subscriptions.push(subscription)
  world.schedule.after(YEAR_MS, () => (resource === 'vlan' ? state.vlans : state.ips).delete(uuid))
  return subscription
}

/** The nth static address of a region. */
function addressNo(n: number, region: number): string {
  return `94.${26 + region}.${Math.floor(n / STATIC_PER_BLOCK) % 256}.${10 + (n % STATIC_PER_BLOCK)}`
}

export function createSubscription(request: ApiRequest): Reply {
  const { resource } = fieldsOf(request)
  if (resource !== 'vlan' && resource !== 'ip') throw invalidField('resource', 'The sandbox sells vlan and ip')
  const { world, state, region, actor } = request
  assertRoom(resource === 'vlan' ? state.vlans : state.ips, 1)
  const bought = subscribe(world, { region, owner: actor.user.uuid, resource, at: world.now() })
  return created([subscriptionJson(bought, world.now())])
}

export function listSubscriptions(request: ApiRequest): Reply {
  const { state, actor, call, world } = request
  const [status, resource] = [call.query.get('status'), call.query.get('resource')]
  const mine = state.subscriptions.filter(
    (each) =>
      each.owner === actor.user.uuid &&
      (status === null || status === 'all' || statusOf(each, world.now()) === status) &&
      (resource === null || each.resource === resource),
  )
  return listReply(request, mine, (each) => subscriptionJson(each, world.now()))
}

const statusOf = ({ endAt }: Subscription, now: number): 'active' | 'expired' => (now < endAt ? 'active' : 'expired')

function subscriptionJson(each: Subscription, now: number): Readonly<Record<string, unknown>> & { readonly resource_uri: string } {
  const { id, uuid, resource, subscribedObject, startAt, endAt } = each
  return {
    amount: '1',
    auto_renew: true,
    descendants: [],
    discount_amount: null,
    discount_percent: null,
    discounts: null,
    end_time: apiTime(endAt),
    free_tier: false,
    id: String(id),
    period: '365 days, 0:00:00',
    price: '0E-20',
    remaining: '1',
    resource,
    resource_uri: uriOf('subscriptions', id),
    start_time: apiTime(startAt),
    status: statusOf(each, now),
    subscribed_object: subscribedObject,
    uuid,
    was_billed: true,
  }
}
