import { make, onlyObject } from './made.ts'
import type { Made } from './made.ts'
import { driveOf, jobOf } from './objects.ts'
import type { Drive, Job } from './objects.ts'
import { readList } from './pages.ts'
import type { ListOptions } from './pages.ts'
import { filterQuery, keyOfUuid } from './servers.ts'
import type { ListFilter } from './servers.ts'
import { assertName, assertPositive, assertUuid, metaBody, tagsBody } from './specs.ts'
import type { Call, CallOptions, Transport } from './transport.ts'

export type CloneSpec = {
  /** Always sent: without one a setting of the user's profile makes it up (3.7). */
  readonly name: string
  /** At least the source's; the cloud rounds it up to a block. Default the source's. */
  readonly sizeBytes?: number
  /** Default `disk`. */
  readonly media?: 'disk' | 'cdrom'
  readonly storageType?: string
  /** Keep it away from the hosts of these drives. */
  readonly avoid?: readonly string[]
}

export type DriveSpec = {
  readonly name: string
  readonly sizeBytes: number
  readonly media?: 'disk' | 'cdrom'
  readonly storageType?: string
  readonly meta?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

export type Drives = {
  list(filter?: ListFilter, options?: ListOptions): Promise<readonly Drive[]>
  get(uuid: string, options?: CallOptions): Promise<Drive>
  create(spec: DriveSpec, options?: CallOptions): Promise<Made<Drive>>
  /** Resolves when it began: the status is `cloning_dst` until it is `unmounted`. */
  clone(uuid: string, spec: CloneSpec, options?: CallOptions): Promise<Made<Drive>>
  /** Begins it. Name and media go with it, or the API refuses. */
  resize(
    uuid: string,
    spec: { readonly name: string; readonly sizeBytes: number; readonly media?: 'disk' | 'cdrom' },
    options?: CallOptions,
  ): Promise<Drive>
  update(uuid: string, spec: DriveSpec, options?: CallOptions): Promise<Drive>
  /** Unmounted ones only. Gone once `get` says `notFound`. */
  delete(uuid: string, options?: CallOptions): Promise<void>
}

/** Drives that the cloud offers to everybody. They have no owner; what they say of themselves is copied into a clone's meta. */
export type LibraryDrives = Pick<Drives, 'list' | 'get' | 'clone'>

/** Long work; kept three days. */
export type Jobs = { get(uuid: string, options?: CallOptions): Promise<Job> }

type Collection = 'drives' | 'libdrives'

function readers(transport: Transport, collection: Collection): LibraryDrives {
  return {
    list: (filter = {}, options) =>
      readList(
        transport,
        {
          operation: `${collection}.list`,
          // The library has no summary of its own (3.4 names drives, ips and vlans).
          path: collection === 'drives' ? ['drives', 'detail'] : ['libdrives'],
          query: filterQuery(filter),
          keyOf: keyOfUuid,
          parse: driveOf,
        },
        options,
      ),
    async get(uuid, options) {
      const call: Call = { operation: `${collection}.get`, method: 'GET', path: pathOf(collection, uuid), isIdempotent: true }
      return onlyObject(transport, call, { answer: await transport.send(call, options), parse: driveOf })
    },
    clone: (uuid, spec, options) =>
      make(
        transport,
        {
          operation: `${collection}.clone`,
          method: 'POST',
          path: [...pathOf(collection, uuid), 'action'],
          query: { do: 'clone' },
          body: cloneBody(spec),
          isIdempotent: false,
        },
        { parse: driveOf, options },
      ),
  }
}

export function createLibraryDrives(transport: Transport): LibraryDrives {
  return readers(transport, 'libdrives')
}

export function createDrives(transport: Transport): Drives {
  const one = async (call: Call, options?: CallOptions): Promise<Drive> =>
    onlyObject(transport, call, { answer: await transport.send(call, options), parse: driveOf })
  return {
    ...readers(transport, 'drives'),
    create: (spec, options) =>
      make(
        transport,
        { operation: 'drives.create', method: 'POST', path: ['drives'], body: { objects: [bodyOf(spec)] }, isIdempotent: false },
        { parse: driveOf, options },
      ),
    resize: (uuid, { name, sizeBytes, media = 'disk' }, options) =>
      one(
        {
          operation: 'drives.resize',
          method: 'POST',
          path: [...pathOf('drives', uuid), 'action'],
          query: { do: 'resize' },
          body: { name: assertName(name), size: assertPositive(sizeBytes, 'size'), media },
          isIdempotent: false,
        },
        options,
      ),
    update: (uuid, spec, options) =>
      one({ operation: 'drives.update', method: 'PUT', path: pathOf('drives', uuid), body: bodyOf(spec), isIdempotent: true }, options),
    async delete(uuid, options) {
      await transport.send({ operation: 'drives.delete', method: 'DELETE', path: pathOf('drives', uuid), isIdempotent: true }, options)
    },
  }
}

export function createJobs(transport: Transport): Jobs {
  return {
    async get(uuid, options) {
      const call: Call = { operation: 'jobs.get', method: 'GET', path: ['jobs', assertUuid(uuid, 'job')], isIdempotent: true }
      return onlyObject(transport, call, { answer: await transport.send(call, options), parse: jobOf })
    },
  }
}

function pathOf(collection: Collection, uuid: string): string[] {
  return [collection, assertUuid(uuid, 'drive')]
}

function cloneBody({ name, sizeBytes, media = 'disk', storageType, avoid }: CloneSpec): object {
  return {
    name: assertName(name),
    media,
    affinities: [],
    ...(sizeBytes !== undefined && { size: assertPositive(sizeBytes, 'size') }),
    ...(storageType !== undefined && { storage_type: storageType }),
    ...(avoid !== undefined && avoid.length > 0 && { avoid: avoid.map((each) => assertUuid(each, 'drive to avoid')).join(',') }),
  }
}

function bodyOf({ name, sizeBytes, media = 'disk', storageType, meta = {}, tags = [] }: DriveSpec): object {
  return {
    name: assertName(name),
    size: assertPositive(sizeBytes, 'size'),
    media,
    ...(storageType !== undefined && { storage_type: storageType }),
    meta: metaBody(meta),
    tags: tagsBody(tags),
  }
}
