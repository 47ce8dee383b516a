import { Hidden, Meta } from './hidden.ts'
import { fieldOf, listOf, numberOf, referenceOf, referencesOf, textOf } from './json.ts'

/** Whose an object is. Lists hold objects of others that were shared with this account: look at it before doing anything. */
export type Owner = { readonly uuid: string; readonly email?: string }

/** What every object of the API has. `owner` is missing on library drives. */
export type CloudObject = {
  readonly uuid: string
  readonly owner?: Owner
  /** Empty on one's own; on a shared one what was granted. */
  readonly permissions: readonly string[]
  /** Ids. */
  readonly tags: readonly string[]
  readonly meta: Meta
}

/** Words of the API, and whatever it says next year. */
export type ServerStatus = 'running' | 'stopped' | 'starting' | 'stopping' | 'paused' | 'unavailable' | 'deleting' | (string & {})

export type ServerDrive = {
  readonly drive?: string
  readonly device?: string
  readonly devChannel?: string
  readonly bootOrder?: number
}

export type Nic = {
  readonly mac?: string
  readonly vlan?: string
  readonly ipV4?: { readonly conf?: string; readonly ip?: string }
  readonly bootOrder?: number
  /** What it has while the server runs. */
  readonly running?: RunningNic
}

export type RunningNic = { readonly interfaceType?: 'public' | 'private' | (string & {}); readonly ipV4?: string; readonly ipV6?: string }

export type Server = CloudObject & {
  readonly name: string
  readonly status: ServerStatus
  /** MHz of all cores together. */
  readonly cpuMhz?: number
  readonly smp?: number
  readonly memBytes?: number
  readonly drives: readonly ServerDrive[]
  readonly nics: readonly Nic[]
  readonly vncPassword?: Hidden
  /** As the API writes it, while the server runs. */
  readonly activeSince?: string
}

/** Of a list that has no more: quick to read for looking over an account. */
export type ServerSummary = { readonly uuid: string; readonly name: string; readonly status: ServerStatus; readonly owner?: Owner }

export type DriveStatus =
  | 'creating'
  | 'cloning_src'
  | 'cloning_dst'
  | 'resizing'
  | 'uploading'
  | 'copying'
  | 'unmounted'
  | 'mounted'
  | 'unavailable'
  | (string & {})

export type Drive = CloudObject & {
  readonly name: string
  readonly status: DriveStatus
  /** As the API rounded it. */
  readonly sizeBytes?: number
  readonly media?: string
  readonly storageType?: string
  /** Servers. */
  readonly mountedOn: readonly string[]
  readonly jobs: readonly string[]
}

export type Job = {
  readonly uuid: string
  readonly state?: 'started' | 'success' | (string & {})
  readonly operation?: string
  /** 0 to 100. */
  readonly progress?: number
  readonly children: readonly string[]
  readonly resources: readonly string[]
}

export type Vlan = CloudObject & { readonly servers: readonly string[]; readonly subscription?: string }

/** A public address; its uuid *is* the address. */
export type Ip = CloudObject & {
  readonly gateway?: string
  readonly netmask?: number
  readonly nameservers: readonly string[]
  readonly server?: string
  /** With one it is a static address that the account owns; without, a dynamic one. */
  readonly subscription?: string
}

export type TaggedResource = { readonly uuid: string; readonly type?: string; readonly owner?: Owner }

export type Tag = {
  readonly uuid: string
  readonly name: string
  readonly owner?: Owner
  readonly meta: Meta
  readonly resources: readonly TaggedResource[]
}

export type Acl = {
  readonly uuid: string
  readonly name?: string
  readonly owner?: Owner
  readonly permissions: readonly string[]
  readonly tags: readonly string[]
  readonly grantees: readonly { readonly uuid?: string; readonly email?: string }[]
}

type Present<Fields> = { readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined> }

/** The fields that are there: nulls and missing ones are no keys of the result. */
export function present<Fields extends object>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>
}

function ownerOf(from: unknown): Owner | undefined {
  const owner = fieldOf(from, 'owner')
  const uuid = referenceOf(owner)
  return uuid === undefined ? undefined : { uuid, ...present({ email: textOf(owner, 'email') }) }
}

function metaOf(from: unknown): Meta {
  const meta = fieldOf(from, 'meta')
  if (typeof meta !== 'object' || meta === null) return new Meta()
  // Values are texts. Should one come as a number, it goes back as its text: meta is replaced as a whole, and must lose nothing.
  return new Meta(
    Object.entries(meta).flatMap(([key, value]: [string, unknown]) => (isPlain(value) ? [[key, String(value)] as const] : [])),
  )
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** Ids are kept as the API writes them; an object without one cannot be one of ours. */
export function idOf(from: unknown): string {
  return textOf(from, 'uuid') ?? ''
}

function objectOf(from: unknown): CloudObject {
  return {
    uuid: idOf(from),
    ...present({ owner: ownerOf(from) }),
    permissions: textsOf(from, 'permissions'),
    tags: referencesOf(from, 'tags'),
    meta: metaOf(from),
  }
}

function textsOf(from: unknown, name: string): readonly string[] {
  return listOf(from, name).filter((each) => typeof each === 'string')
}

export function serverOf(from: unknown): Server {
  const runtime = fieldOf(from, 'runtime')
  const running = new Map(listOf(runtime, 'nics').map((nic) => [textOf(nic, 'mac'), nic]))
  const password = textOf(from, 'vnc_password')
  return {
    ...objectOf(from),
    name: textOf(from, 'name') ?? '',
    status: textOf(from, 'status') ?? '',
    ...present({
      cpuMhz: numberOf(from, 'cpu'),
      smp: numberOf(from, 'smp'),
      memBytes: numberOf(from, 'mem'),
      vncPassword: password === undefined ? undefined : new Hidden(password),
      activeSince: textOf(runtime, 'active_since'),
    }),
    drives: listOf(from, 'drives').map((each) =>
      present({
        drive: referenceOf(fieldOf(each, 'drive')),
        device: textOf(each, 'device'),
        devChannel: textOf(each, 'dev_channel'),
        bootOrder: numberOf(each, 'boot_order'),
      }),
    ),
    nics: listOf(from, 'nics').map((nic) => nicOf(nic, running.get(textOf(nic, 'mac')) ?? fieldOf(nic, 'runtime'))),
  }
}

function nicOf(nic: unknown, runtime: unknown): Nic {
  const conf = fieldOf(nic, 'ip_v4_conf')
  return present({
    mac: textOf(nic, 'mac'),
    vlan: referenceOf(fieldOf(nic, 'vlan')),
    ipV4: conf === undefined ? undefined : present({ conf: textOf(conf, 'conf'), ip: referenceOf(fieldOf(conf, 'ip')) }),
    bootOrder: numberOf(nic, 'boot_order'),
    running:
      runtime === undefined
        ? undefined
        : present({
            interfaceType: textOf(runtime, 'interface_type'),
            ipV4: referenceOf(fieldOf(runtime, 'ip_v4')),
            ipV6: referenceOf(fieldOf(runtime, 'ip_v6')),
          }),
  })
}

export function serverSummaryOf(from: unknown): ServerSummary {
  return {
    uuid: idOf(from),
    name: textOf(from, 'name') ?? '',
    status: textOf(from, 'status') ?? '',
    ...present({ owner: ownerOf(from) }),
  }
}

export function driveOf(from: unknown): Drive {
  return {
    ...objectOf(from),
    name: textOf(from, 'name') ?? '',
    status: textOf(from, 'status') ?? '',
    ...present({ sizeBytes: numberOf(from, 'size'), media: textOf(from, 'media'), storageType: textOf(from, 'storage_type') }),
    mountedOn: referencesOf(from, 'mounted_on'),
    jobs: referencesOf(from, 'jobs'),
  }
}

export function jobOf(from: unknown): Job {
  return {
    uuid: idOf(from),
    ...present({
      state: textOf(from, 'state'),
      operation: textOf(from, 'operation'),
      progress: numberOf(fieldOf(from, 'data'), 'progress'),
    }),
    children: referencesOf(from, 'children'),
    resources: textsOf(from, 'resources'),
  }
}

export function vlanOf(from: unknown): Vlan {
  return { ...objectOf(from), servers: referencesOf(from, 'servers'), ...present({ subscription: subscriptionOf(from) }) }
}

export function ipOf(from: unknown): Ip {
  return {
    ...objectOf(from),
    nameservers: textsOf(from, 'nameservers'),
    ...present({
      gateway: textOf(from, 'gateway'),
      netmask: numberOf(from, 'netmask'),
      server: referenceOf(fieldOf(from, 'server')),
      subscription: subscriptionOf(from),
    }),
  }
}

/** Its id is a number in the documentation. */
function subscriptionOf(from: unknown): string | undefined {
  const subscription = fieldOf(from, 'subscription')
  const id = fieldOf(subscription, 'id') ?? fieldOf(subscription, 'uuid')
  return typeof id === 'number' || typeof id === 'string' ? String(id) : undefined
}

export function tagOf(from: unknown): Tag {
  return {
    uuid: idOf(from),
    name: textOf(from, 'name') ?? '',
    ...present({ owner: ownerOf(from) }),
    meta: metaOf(from),
    resources: listOf(from, 'resources').flatMap((each) => {
      const uuid = referenceOf(each)
      return uuid === undefined ? [] : [{ uuid, ...present({ type: textOf(each, 'res_type'), owner: ownerOf(each) }) }]
    }),
  }
}

export function aclOf(from: unknown): Acl {
  return {
    uuid: idOf(from),
    ...present({ name: textOf(from, 'name'), owner: ownerOf(from) }),
    permissions: listOf(from, 'rules').flatMap((rule) => textOf(rule, 'permission') ?? []),
    tags: referencesOf(from, 'tags'),
    grantees: listOf(from, 'grantees').map((each) =>
      typeof each === 'string' ? { email: each } : present({ uuid: textOf(each, 'uuid'), email: textOf(each, 'email') }),
    ),
  }
}

/** Whether a list's object belongs to the account and was not only shared with it. For `filter`. */
export function isOwnedBy(ownerUuid: string): (object: { readonly owner?: Owner }) => boolean {
  return ({ owner }) => owner?.uuid === ownerUuid
}
