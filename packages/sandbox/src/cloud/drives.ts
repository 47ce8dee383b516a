import type { Reply } from '../oauth/http.ts'
import { aclFields, required } from './access.ts'
import { ApiRefusal, invalidField, lacksPermission, wrongState } from './api-reply.ts'
import {
  type ApiRequest,
  type Fields,
  accepted,
  assertRoom,
  created,
  deleted,
  fieldsOf,
  objectsOf,
  ok,
  optionalFieldsOf,
} from './api-request.ts'
import { writeAudit } from './audit.ts'
import { DRIVE_SIZE } from './capabilities.ts'
import { addClone, addDrive, removeDrive, wholeBlocks } from './drive-life.ts'
import type { Drive } from './entities.ts'
import { actionOf, metaOf, ownerRef, refTo, requiredNumber, requiredText, uriOf } from './fields.ts'
import { listEntities, picked } from './lists.ts'
import { restingStatus } from './mounts.ts'
import { setTags, tagsOf } from './resource-tags.ts'

type Shown = Readonly<Record<string, unknown>> & { readonly resource_uri: string }

function driveJson(request: ApiRequest, drive: Drive): Shown {
  const { kind, uuid, jobs, storageType } = drive
  return {
    affinities: drive.affinities,
    allow_multimount: drive.allowMultimount,
    ...aclFields(request, drive),
    ...(kind === 'libdrives' && { ...drive.image, description: `${drive.name} of the sandbox`, favourite: false }),
    jobs: jobs.map((job) => refTo('jobs', job)),
    licenses: [],
    media: drive.media,
    meta: drive.meta,
    mounted_on: request.state.serversWith(uuid).map((server) => refTo('servers', server.uuid)),
    name: drive.name,
    owner: ownerRef(drive.owner),
    resource_uri: uriOf(kind, uuid),
    runtime: { is_snapshotable: true, snapshots_allocated_size: 0, storage_type: storageType },
    size: drive.size,
    snapshots: [],
    status: drive.status,
    storage_type: storageType,
    tags: drive.tags.map((tag) => refTo('tags', tag)),
    uuid,
  }
}

const SUMMARY = ['name', 'owner', 'resource_uri', 'status', 'uuid']

export const listDrives = (request: ApiRequest): Reply =>
  listEntities(request, request.state.drives.values(), (drive) => picked(driveJson(request, drive), SUMMARY))
export const listDrivesDetail = (request: ApiRequest): Reply =>
  listEntities(request, request.state.drives.values(), (drive) => driveJson(request, drive))
export const listLibdrives = (request: ApiRequest): Reply =>
  listEntities(request, request.state.libdrives.values(), (drive) => driveJson(request, drive))
/** A library drive is found under `/drives/` too. */
export const getDrive = (request: ApiRequest): Reply =>
  ok(driveJson(request, request.state.libdrives.get(request.id) ?? required(request, request.state.drives, 'LIST')))
export const getLibdrive = (request: ApiRequest): Reply => ok(driveJson(request, required(request, request.state.libdrives, 'LIST')))

export function createDrives(request: ApiRequest): Reply {
  const { world, state, actor } = request
  const asked = objectsOf(request)
  assertRoom(state.drives, asked.length)
  const made = asked.map((fields) => newDrive(request, fields))
  for (const drive of made) {
    addDrive(request, drive, { ms: world.knobs.driveCreateMs })
    writeAudit(state, { action: 'create', entity: drive, at: world.now(), actor })
  }
  return created(made.map((drive) => driveJson(request, drive)))
}

function newDrive(request: ApiRequest, fields: Fields): Drive {
  const { world, actor } = request
  return {
    kind: 'drives',
    uuid: world.newUuid('drive'),
    owner: actor.user.uuid,
    createdAt: world.now(),
    meta: metaOf(fields),
    tags: [...(tagsOf(request, fields) ?? [])],
    name: requiredText(fields, 'name'),
    size: wholeBlocks(requiredNumber(fields, 'size', DRIVE_SIZE)),
    media: mediaOf(fields, 'disk'),
    storageType: typeof fields['storage_type'] === 'string' ? fields['storage_type'] : 'dssd',
    status: 'creating',
    allowMultimount: fields['allow_multimount'] === true,
    affinities: [],
    payer: null,
    jobs: [],
  }
}

function mediaOf(fields: Fields, fallback: Drive['media']): Drive['media'] {
  const media = fields['media'] ?? fallback
  if (media !== 'disk' && media !== 'cdrom') throw invalidField('media', `Value ${JSON.stringify(media)} is not one of disk, cdrom`)
  return media
}

/** Name, media and size must be there. A new size is taken while the drive rests and its server does not run. */
export function putDrive(request: ApiRequest): Reply {
  const drive = required(request, request.state.drives, 'EDIT')
  const fields = fieldsOf(request)
  const tags = tagsOf(request, fields)
  const { name, size } = resizeOf(drive, fields)
  const meta = metaOf(fields)
  if (size !== drive.size) resize(request, drive, size)
  Object.assign(drive, { name, meta, allowMultimount: fields['allow_multimount'] === true })
  if (tags !== undefined) setTags(drive, tags)
  writeAudit(request.state, { action: 'update', entity: drive, at: request.world.now(), actor: request.actor })
  return ok(driveJson(request, drive))
}

function resizeOf(drive: Drive, fields: Fields): { name: string; size: number } {
  const name = requiredText(fields, 'name')
  mediaOf({ media: requiredText(fields, 'media') }, 'disk')
  const size = wholeBlocks(requiredNumber(fields, 'size', DRIVE_SIZE))
  if (size < drive.size) throw invalidField('size', `Size must be at least ${drive.size}`)
  return { name, size }
}

function resize(request: ApiRequest, drive: Drive, size: number): void {
  const { world, state, region } = request
  const isRunning = state.serversWith(drive.uuid).some(({ status }) => status !== 'stopped')
  if (drive.status !== restingStatus(request, drive) || isRunning)
    throw wrongState({ uuid: drive.uuid, target: 'resizing', expected: 'unmounted', current: drive.status })
  if (drive.payer !== null) world.bills.change(drive.payer, region, { diskBytes: BigInt(size - drive.size) })
  Object.assign(drive, { size, status: 'resizing' })
  world.schedule.after(world.knobs.resizeMs, () => {
    if (drive.status === 'resizing') drive.status = restingStatus(request, drive)
  })
}

/** Unmounted drives only, and only their owner's. */
export function deleteDrive(request: ApiRequest): Reply {
  const { state, actor } = request
  const drive = required(request, state.drives, 'LIST')
  if (drive.owner !== actor.user.uuid) throw lacksPermission(actor.user.uuid, 'DELETE', drive.uuid)
  if (drive.status !== 'unmounted' && drive.status !== 'unavailable')
    throw wrongState({ uuid: drive.uuid, target: 'deleting', expected: 'unmounted', current: drive.status })
  removeDrive(request, drive.uuid)
  return deleted()
}

/** `POST /drives/:id/action/?do=clone|resize`; clone also from `/libdrives/`. */
export function actOnDrive(request: ApiRequest): Reply {
  const { state, call } = request
  const action = actionOf(call.query, ['clone', 'resize'])
  if (action === 'clone') return cloneDrive(request, state.libdrives.get(request.id) ?? required(request, state.drives, 'CLONE'))
  const drive = required(request, state.drives, 'EDIT')
  resize(request, drive, resizeOf(drive, fieldsOf(request)).size)
  return accepted({ objects: [driveJson(request, drive)] })
}

export function actOnLibdrive(request: ApiRequest): Reply {
  actionOf(request.call.query, ['clone'])
  return cloneDrive(request, required(request, request.state.libdrives, 'CLONE'))
}

const CLONEABLE: ReadonlySet<string> = new Set(['unmounted', 'mounted', 'cloning_src'])

function cloneDrive(request: ApiRequest, source: Drive): Reply {
  const fields = optionalFieldsOf(request)
  if (!CLONEABLE.has(source.status))
    throw wrongState({ uuid: source.uuid, target: 'cloning_src', expected: 'unmounted', current: source.status })
  const isRunning = request.state.serversWith(source.uuid).some(({ status }) => status !== 'stopped')
  if (isRunning) throw new ApiRefusal(403, 'permission', 'A drive of a running server cannot be cloned')
  const { size, storage_type: storageType, affinities } = fields
  const wanted = size === undefined || size === null ? source.size : requiredNumber(fields, 'size', DRIVE_SIZE)
  assertRoom(request.state.drives, 1)
  if (wanted < source.size) throw invalidField('size', `Size must be at least ${source.size}`)
  const clone = addClone(request, source, {
    name: typeof fields['name'] === 'string' && fields['name'] !== '' ? fields['name'] : cloneName(request, source),
    size: wanted,
    media: mediaOf(fields, source.media),
    ...(typeof storageType === 'string' && { storageType }),
    ...(Array.isArray(affinities) && { affinities: affinities.map(String) }),
  })
  if (source.kind === 'drives') holdSource(request, source)
  return accepted({ objects: [driveJson(request, clone)] })
}

/** An own drive is `cloning_src` until the last of its copies is done. */
function holdSource(request: ApiRequest, source: Drive): void {
  const { world, state } = request
  source.status = 'cloning_src'
  world.schedule.after(world.knobs.cloneMs, () => {
    const uri = uriOf('drives', source.uuid)
    const isBusy = [...state.jobs.values()].some(({ resources, endsAt }) => resources[0] === uri && endsAt > world.now())
    if (source.status === 'cloning_src' && !isBusy) source.status = restingStatus(request, source)
  })
}

/** A clone without a name is named by the user's own setting: names are never to be relied on. */
function cloneName({ actor, state, world }: ApiRequest, source: Drive): string {
  const stamp = new Date(world.now()).toISOString()
  switch (actor.user.cloneNaming) {
    case 'NONE':
      return source.name
    case 'COUNTER': {
      const taken = new Set([...state.drives.values()].map(({ name }) => name))
      let counter = 1
      while (taken.has(`${source.name}_${counter}`)) counter += 1
      return `${source.name}_${counter}`
    }
    case 'DATE':
      return `${source.name}-${stamp.slice(0, 10)}`
    case 'TIMESTAMP':
      return `${source.name}-${stamp.slice(0, 19).replace('T', ' ')}`
  }
}
