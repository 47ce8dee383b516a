import { make, onlyObject } from './made.ts'
import type { Made } from './made.ts'
import { aclOf, tagOf } from './objects.ts'
import type { Acl, Tag } from './objects.ts'
import { readList } from './pages.ts'
import type { ListOptions } from './pages.ts'
import { filterQuery, keyOfUuid } from './servers.ts'
import type { ListFilter } from './servers.ts'
import { assertName, assertUuid, metaBody } from './specs.ts'
import type { Call, CallOptions, Transport } from './transport.ts'

/** A replacement replaces all of it: `resources` is the whole list, also when it is empty. */
export type TagSpec = {
  readonly name: string
  /** Ids; of addresses the address. */
  readonly resources: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
}

export type Tags = {
  list(filter?: ListFilter, options?: ListOptions): Promise<readonly Tag[]>
  get(uuid: string, options?: CallOptions): Promise<Tag>
  create(spec: TagSpec, options?: CallOptions): Promise<Made<Tag>>
  /** Others write the same tags: serialise per tag, and read it again. */
  update(uuid: string, spec: TagSpec, options?: CallOptions): Promise<Tag>
  delete(uuid: string, options?: CallOptions): Promise<void>
}

/** What of this account was shared with whom. Only read here. */
export type Acls = {
  list(options?: ListOptions): Promise<readonly Acl[]>
  get(uuid: string, options?: CallOptions): Promise<Acl>
}

export function createTags(transport: Transport): Tags {
  const one = async (call: Call, options?: CallOptions): Promise<Tag> =>
    onlyObject(transport, call, { answer: await transport.send(call, options), parse: tagOf })
  const pathOf = (uuid: string): string[] => ['tags', assertUuid(uuid, 'tag')]
  return {
    list: (filter = {}, options) =>
      readList(transport, { operation: 'tags.list', path: ['tags'], query: filterQuery(filter), keyOf: keyOfUuid, parse: tagOf }, options),
    get: (uuid, options) => one({ operation: 'tags.get', method: 'GET', path: pathOf(uuid), isIdempotent: true }, options),
    create: (spec, options) =>
      make(
        transport,
        { operation: 'tags.create', method: 'POST', path: ['tags'], body: { objects: [bodyOf(spec)] }, isIdempotent: false },
        { parse: tagOf, options },
      ),
    update: (uuid, spec, options) =>
      one({ operation: 'tags.update', method: 'PUT', path: pathOf(uuid), body: bodyOf(spec), isIdempotent: true }, options),
    async delete(uuid, options) {
      await transport.send({ operation: 'tags.delete', method: 'DELETE', path: pathOf(uuid), isIdempotent: true }, options)
    },
  }
}

/** Resources as objects: texts, as the documentation has them too, were refused in production. */
function bodyOf({ name, resources, meta }: TagSpec): object {
  return {
    name: assertName(name),
    resources: resources.map((uuid) => ({ uuid })),
    ...(meta !== undefined && { meta: metaBody(meta) }),
  }
}

export function createAcls(transport: Transport): Acls {
  return {
    list: (options) => readList(transport, { operation: 'acls.list', path: ['acls'], keyOf: keyOfUuid, parse: aclOf }, options),
    async get(uuid, options) {
      const call: Call = { operation: 'acls.get', method: 'GET', path: ['acls', assertUuid(uuid, 'acl')], isIdempotent: true }
      return onlyObject(transport, call, { answer: await transport.send(call, options), parse: aclOf })
    },
  }
}
