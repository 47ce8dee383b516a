import { isIP } from 'node:net'
import { CloudSigmaRequestError } from './errors.ts'
import { onlyObject } from './made.ts'
import { ipOf, vlanOf } from './objects.ts'
import type { Ip, Vlan } from './objects.ts'
import { readList } from './pages.ts'
import type { ListOptions } from './pages.ts'
import { filterQuery, keyOfUuid } from './servers.ts'
import type { ListFilter } from './servers.ts'
import { assertUuid, metaBody, tagsBody } from './specs.ts'
import type { Call, CallOptions, Transport } from './transport.ts'

/** Private networks: bought as subscriptions, and gone when those end. They cannot be made here (3.8). */
export type Vlans = {
  list(filter?: ListFilter, options?: ListOptions): Promise<readonly Vlan[]>
  get(uuid: string, options?: CallOptions): Promise<Vlan>
  /** Meta and tags are all that can be changed; both are replaced as a whole. */
  update(
    uuid: string,
    spec: { readonly meta: Readonly<Record<string, string>>; readonly tags: readonly string[] },
    options?: CallOptions,
  ): Promise<Vlan>
}

/** Public addresses. An address is its own id. */
export type Ips = {
  list(filter?: ListFilter, options?: ListOptions): Promise<readonly Ip[]>
  get(address: string, options?: CallOptions): Promise<Ip>
}

export function createVlans(transport: Transport): Vlans {
  const one = async (call: Call, options?: CallOptions): Promise<Vlan> =>
    onlyObject(transport, call, { answer: await transport.send(call, options), parse: vlanOf })
  const pathOf = (uuid: string): string[] => ['vlans', assertUuid(uuid, 'vlan')]
  return {
    list: (filter = {}, options) =>
      readList(
        transport,
        { operation: 'vlans.list', path: ['vlans', 'detail'], query: filterQuery(filter), keyOf: keyOfUuid, parse: vlanOf },
        options,
      ),
    get: (uuid, options) => one({ operation: 'vlans.get', method: 'GET', path: pathOf(uuid), isIdempotent: true }, options),
    update: (uuid, { meta, tags }, options) =>
      one(
        {
          operation: 'vlans.update',
          method: 'PUT',
          path: pathOf(uuid),
          body: { meta: metaBody(meta), tags: tagsBody(tags) },
          isIdempotent: true,
        },
        options,
      ),
  }
}

export function createIps(transport: Transport): Ips {
  return {
    list: (filter = {}, options) =>
      readList(
        transport,
        { operation: 'ips.list', path: ['ips', 'detail'], query: filterQuery(filter), keyOf: keyOfUuid, parse: ipOf },
        options,
      ),
    async get(address, options) {
      if (isIP(address) === 0) throw new CloudSigmaRequestError('Cannot send the request: the id of an address is the address itself')
      const call: Call = { operation: 'ips.get', method: 'GET', path: ['ips', address], isIdempotent: true }
      return onlyObject(transport, call, { answer: await transport.send(call, options), parse: ipOf })
    },
  }
}
