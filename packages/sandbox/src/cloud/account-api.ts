import type { Reply } from '../oauth/http.ts'
import { formatNano } from '@ascribe/units'
import { invalidField } from './api-reply.ts'
import { type ApiRequest, fieldsOf, ok } from './api-request.ts'
import type { Entity } from './entities.ts'
import { listReply } from './lists.ts'

/** `GET /profile/`: who the caller is. Answers suspended users too, so that they can see it. */
export function getProfile({ actor }: ApiRequest): Reply {
  const { uuid, email, state, currency, cloneNaming, createdAt } = actor.user
  const [firstName = ''] = email.split('@', 1)
  return ok({
    address: '',
    api_https_only: false,
    autotopup_amount: '0E-16',
    autotopup_threshold: '0E-16',
    bank_reference: firstName,
    clone_naming: cloneNaming,
    company: '',
    country: 'CH',
    currency,
    email,
    first_name: firstName,
    has_autotopup: false,
    has_tx_autotopup: false,
    invoicing: true,
    key_auth: false,
    language: 'EN',
    last_name: '',
    mailing_list: false,
    meta: {},
    my_notes: '',
    network_restrictions: null,
    nickname: '',
    phone: '',
    postcode: '',
    reseller: '',
    signup_time: new Date(createdAt).toISOString().replace('Z', '000+00:00'),
    state,
    tax_name: null,
    tax_rate: null,
    title: '',
    town: '',
    tx_autotopup_amount: '0E-16',
    tx_autotopup_threshold: '0E-16',
    uuid,
    vat: '',
  })
}

const CHANGEABLE_NAMINGS = ['NONE', 'COUNTER', 'DATE', 'TIMESTAMP'] as const

/** `PUT /profile/`: of what it holds, the sandbox keeps how clones are named. */
export function putProfile(request: ApiRequest): Reply {
  const { clone_naming: wanted } = fieldsOf(request)
  const naming = CHANGEABLE_NAMINGS.find((each) => each === wanted)
  if (wanted !== undefined && naming === undefined)
    throw invalidField('clone_naming', `Value ${JSON.stringify(wanted)} is not a way to name clones`)
  if (naming !== undefined) request.actor.user.cloneNaming = naming
  return getProfile(request)
}

/** `GET /balance/`: money as a decimal string, what was paid in less what ran. */
export function getBalance({ world, actor }: ApiRequest): Reply {
  const { user } = actor
  return ok({ balance: formatNano(world.balanceOf(user)), credit_limit: null, currency: user.currency })
}

/** `GET /currentusage/`: nothing but VLANs and addresses is subscribed, so all else is burst. */
export function getCurrentUsage({ world, actor, region, state }: ApiRequest): Reply {
  const { user } = actor
  const { cpuMhz, memBytes, diskBytes } = world.bills.of(user.uuid, region)
  const burst = (using: bigint): unknown => ({ burst: Number(using), subscribed: 0, using: Number(using) })
  const subscribed = (objects: Iterable<Entity>): unknown => {
    const count = [...objects].filter(({ owner }) => owner === user.uuid).length
    return { burst: 0, subscribed: count, using: count }
  }
  return ok({
    balance: { balance: formatNano(world.balanceOf(user)), currency: user.currency },
    usage: {
      cpu: burst(cpuMhz),
      dssd: burst(diskBytes),
      ip: subscribed(state.ips.values()),
      mem: burst(memBytes),
      sms: burst(0n),
      tx: burst(0n),
      vlan: subscribed(state.vlans.values()),
    },
  })
}

const DISPLAY_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  zrh: ['Zurich, Switzerland', 'CH'],
  sjc: ['San Jose, USA', 'US'],
  fra: ['Frankfurt, Germany', 'DE'],
}

/** `GET /locations/`: the regions of this sandbox. `upload_url` is the `direct` host. */
export function listLocations(request: ApiRequest): Reply {
  const port = request.call.host.replace(/^.*:/, ':')
  return listReply(request, request.world.regions.names, (region) => {
    const plain = `http://${region}.localhost${port}`
    const [name, country] = DISPLAY_NAMES[region] ?? [region.toUpperCase(), 'CH']
    return {
      api_endpoint: `${plain}/api/2.0/`,
      country_code: country,
      display_name: name,
      documentation: `${plain}/docs/`,
      id: region.toUpperCase(),
      upload_url: `http://direct.${region}.localhost${port}/api/2.0/`,
      websocket_url: `ws://direct.${region}.localhost${port}/websocket`,
    }
  })
}
