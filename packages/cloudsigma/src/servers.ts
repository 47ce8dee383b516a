import { Hidden } from './hidden.ts'
import { textOf } from './json.ts'
import { make, onlyObject } from './made.ts'
import type { Made } from './made.ts'
import { serverOf, serverSummaryOf } from './objects.ts'
import type { Server, ServerSummary } from './objects.ts'
import { readList } from './pages.ts'
import type { ListOptions } from './pages.ts'
import { serverBody } from './server-spec.ts'
import type { ServerSpec } from './server-spec.ts'
import { assertName, assertUuid } from './specs.ts'
import type { CallOptions, Transport } from './transport.ts'

/** Which objects a list holds. Objects of others that were shared with the account are always among them. */
export type ListFilter = {
  readonly name?: string
  readonly nameContains?: string
  readonly uuids?: readonly string[]
  /** Any of these tags. */
  readonly tags?: readonly string[]
}

export type ServerAction = 'start' | 'stop' | 'shutdown' | 'restart' | 'open_vnc' | 'close_vnc' | 'open_console' | 'close_console'

export type ActionOptions = CallOptions & {
  /** Start on other hosts than these servers. */
  readonly avoid?: readonly string[]
  readonly allocationMethod?: string
}

/** `url`: of open_vnc and open_console; whoever has it is at the machine. */
export type ActionReply = { readonly action: string; readonly result: string; readonly uuid: string; readonly url?: Hidden }

export type DeleteServer = CallOptions & {
  /** What goes with it. Default nothing: drives stay, and are paid for. */
  readonly recurse?: 'all_drives' | 'disks' | 'cdroms'
}

export type Servers = {
  /** Whole servers. Made ones may be missing for about 20 s; `get` has them at once (3.4). */
  list(filter?: ListFilter, options?: ListOptions): Promise<readonly Server[]>
  /** Name, status and owner only: for looking over large accounts. */
  summaries(filter?: ListFilter, options?: ListOptions): Promise<readonly ServerSummary[]>
  get(uuid: string, options?: CallOptions): Promise<Server>
  create(spec: ServerSpec, options?: CallOptions): Promise<Made<Server>>
  /** Replaces in full. Of a running server the documentation says that only name, meta and tags change: read it again. */
  update(uuid: string, spec: ServerSpec, options?: CallOptions): Promise<Server>
  /** Resolves when the cloud has taken it on: it is gone once `get` says `notFound`. */
  delete(uuid: string, options?: DeleteServer): Promise<void>
  /** Asks for it: the state follows. */
  act(uuid: string, action: ServerAction, options?: ActionOptions): Promise<ActionReply>
  clone(uuid: string, spec: { readonly name: string }, options?: CallOptions): Promise<Made<Server>>
}

/** The query of a list. */
export function filterQuery({ name, nameContains, uuids, tags }: ListFilter): Record<string, string | undefined> {
  return { name, name__contains: nameContains, uuid: uuids?.join(','), tag: tags?.join(',') }
}

export const keyOfUuid = (item: unknown): string | undefined => textOf(item, 'uuid')

export function createServers(transport: Transport): Servers {
  const one = async (call: Parameters<Transport['send']>[0], options?: CallOptions): Promise<Server> =>
    onlyObject(transport, call, { answer: await transport.send(call, options), parse: serverOf })
  return {
    list: (filter = {}, options) =>
      readList(
        transport,
        { operation: 'servers.list', path: ['servers', 'detail'], query: filterQuery(filter), keyOf: keyOfUuid, parse: serverOf },
        options,
      ),
    summaries: (filter = {}, options) =>
      readList(
        transport,
        {
          operation: 'servers.summaries',
          path: ['servers'],
          query: { ...filterQuery(filter), fields: 'uuid,name,status,owner' },
          keyOf: keyOfUuid,
          parse: serverSummaryOf,
        },
        options,
      ),
    get: (uuid, options) => one({ operation: 'servers.get', method: 'GET', path: pathOf(uuid), isIdempotent: true }, options),
    create: (spec, options) =>
      make(
        transport,
        { operation: 'servers.create', method: 'POST', path: ['servers'], body: { objects: [serverBody(spec)] }, isIdempotent: false },
        { parse: serverOf, options },
      ),
    update: (uuid, spec, options) =>
      one({ operation: 'servers.update', method: 'PUT', path: pathOf(uuid), body: serverBody(spec), isIdempotent: true }, options),
    async delete(uuid, { recurse, ...options } = {}) {
      await transport.send(
        { operation: 'servers.delete', method: 'DELETE', path: pathOf(uuid), query: { recurse }, isIdempotent: true },
        options,
      )
    },
    act: (uuid, action, options = {}) => act(transport, { uuid, action }, options),
    clone: (uuid, { name }, options) =>
      make(
        transport,
        {
          operation: 'servers.clone',
          method: 'POST',
          path: [...pathOf(uuid), 'action'],
          query: { do: 'clone' },
          // Always with a name: without one a setting of the user's profile makes it (3.7).
          body: { name: assertName(name) },
          isIdempotent: false,
        },
        { parse: serverOf, options },
      ),
  }
}

function pathOf(uuid: string): string[] {
  return ['servers', assertUuid(uuid, 'server')]
}

async function act(
  transport: Transport,
  { uuid, action }: { readonly uuid: string; readonly action: ServerAction },
  { avoid, allocationMethod, ...options }: ActionOptions,
): Promise<ActionReply> {
  const call = {
    operation: `servers.${action}`,
    method: 'POST',
    path: [...pathOf(uuid), 'action'],
    query: {
      do: action,
      avoid: avoid?.map((each) => assertUuid(each, 'server to avoid')).join(','),
      allocation_method: allocationMethod,
    },
    // An empty body has been a problem (3.5).
    body: {},
    isIdempotent: false,
  } as const
  const { body } = await transport.send(call, options)
  const url = textOf(body, 'vnc_url') ?? textOf(body, 'console_url')
  return {
    action: textOf(body, 'action') ?? action,
    result: textOf(body, 'result') ?? '',
    uuid: textOf(body, 'uuid') ?? uuid,
    ...(url !== undefined && { url: new Hidden(url) }),
  }
}
