import type { Reply } from '../oauth/http.ts'
import { required } from './access.ts'
import { invalidField, lacksPermission, wrongState } from './api-reply.ts'
import { type ApiRequest, type Fields, assertRoom, created, deleted, fieldsOf, objectsOf, ok } from './api-request.ts'
import { writeAudit } from './audit.ts'
import { CPU, CPU_PER_SMP, MEM, SMP } from './capabilities.ts'
import { removeDrive } from './drive-life.ts'
import type { Server } from './entities.ts'
import { metaOf, numberIn, requiredNumber, requiredText } from './fields.ts'
import { listEntities, picked } from './lists.ts'
import { mountsOf, refreshMounted } from './mounts.ts'
import { nicsOf } from './nics.ts'
import { setTags, tagsOf } from './resource-tags.ts'
import { giveAddresses } from './server-life.ts'
import { SERVER_SUMMARY, serverJson } from './server-json.ts'

export function listServers(request: ApiRequest): Reply {
  return listEntities(request, request.state.servers.values(), (server) => picked(serverJson(request, server), SERVER_SUMMARY))
}

export function listServersDetail(request: ApiRequest): Reply {
  return listEntities(request, request.state.servers.values(), (server) => serverJson(request, server))
}

export function getServer(request: ApiRequest): Reply {
  return ok(serverJson(request, required(request, request.state.servers, 'LIST')))
}

/** `GET /servers/:id/runtime/`: what the server has while it runs, by itself. */
export function getServerRuntime(request: ApiRequest): Reply {
  return ok(serverJson(request, required(request, request.state.servers, 'LIST'))['runtime'] ?? {})
}

/** One object or several; all are checked before the first is made. */
export function createServers(request: ApiRequest): Reply {
  const asked = objectsOf(request)
  assertRoom(request.state.servers, asked.length)
  const made = asked
    .map((fields) => ({ fields, server: newServer(request, fields) }))
    .map(({ fields, server }) => {
      request.state.servers.set(server.uuid, server)
      refreshMounted(
        request,
        server.mounts.map(({ drive }) => drive),
      )
      writeAudit(request.state, { action: 'create', entity: server, at: request.world.now(), actor: request.actor, details: fields })
      return serverJson(request, server)
    })
  return created(made)
}

function newServer(request: ApiRequest, fields: Fields): Server {
  const { world, actor } = request
  const shape = shapeOf(fields)
  return {
    kind: 'servers',
    uuid: world.newUuid('server'),
    owner: actor.user.uuid,
    createdAt: world.now(),
    ...shape,
    meta: metaOf(fields),
    tags: [...(tagsOf(request, fields) ?? [])],
    mounts: mountsOf(request, fields),
    nics: nicsOf(request, fields),
    status: 'stopped',
    activeSince: null,
    jobs: [],
    wasRefusedOnce: false,
    turn: 0,
  }
}

/** What every create and every PUT must say of a server. */
function shapeOf(fields: Fields): Pick<Server, 'name' | 'cpu' | 'mem' | 'smp' | 'vncPassword'> {
  const name = requiredText(fields, 'name')
  const cpu = requiredNumber(fields, 'cpu', CPU)
  const mem = requiredNumber(fields, 'mem', MEM)
  const vncPassword = requiredText(fields, 'vnc_password')
  const { smp: given } = fields
  // Without a word from the client the cloud takes as few, and so as fast, cores as it can.
  const smp = given === undefined || given === null ? Math.max(1, Math.ceil(cpu / CPU_PER_SMP.max)) : numberIn(given, 'smp', SMP)
  const perCore = cpu / smp
  if (perCore > CPU_PER_SMP.max || (smp > 1 && perCore < CPU_PER_SMP.min))
    throw invalidField('smp', `CPU per core must be between ${CPU_PER_SMP.min} and ${CPU_PER_SMP.max} MHz`)
  return { name, cpu, mem, smp, vncPassword }
}

/** Replaces in full. While it runs only name, meta and tags apply; the rest is dropped without a word, unless a knob says otherwise. */
export function putServer(request: ApiRequest): Reply {
  const { world, state, actor } = request
  const server = required(request, state.servers, 'EDIT')
  const fields = fieldsOf(request)
  const shape = shapeOf(fields)
  const meta = metaOf(fields)
  const tags = tagsOf(request, fields)
  const isStopped = server.status === 'stopped'
  if (isStopped || world.knobs.runningPut === 'applied') {
    const mounts = mountsOf(request, fields, server)
    const nics = nicsOf(request, fields, server.nics)
    const touched = [...server.mounts, ...mounts].map(({ drive }) => drive)
    Object.assign(server, { mounts, nics }, isStopped ? shape : { name: shape.name })
    if (server.status === 'running') giveAddresses(request, server)
    refreshMounted(request, touched)
  }
  Object.assign(server, { name: shape.name, meta })
  if (tags !== undefined) setTags(server, tags)
  writeAudit(state, { action: 'update', entity: server, at: world.now(), actor, details: fields })
  return ok(serverJson(request, server))
}

/** Which media `?recurse=` takes along. */
const RECURSED: ReadonlyMap<string | null, readonly string[]> = new Map([
  ['all_drives', ['disk', 'cdrom']],
  ['disks', ['disk']],
  ['cdroms', ['cdrom']],
])

export function deleteServer(request: ApiRequest): Reply {
  const { world, state, actor } = request
  const { knobs } = world
  const server = required(request, state.servers, 'LIST')
  // Only owners delete: no permission of an ACL covers it.
  if (server.owner !== actor.user.uuid) throw lacksPermission(actor.user.uuid, 'DELETE', server.uuid)
  if (server.status !== 'stopped' || knobs.deleteRefused)
    throw wrongState({ uuid: server.uuid, target: 'deleting', expected: 'stopped', current: server.status })
  const recurse = request.call.query.get('recurse')
  const going = knobs.deleteLeavesDrives ? [] : drivesGoing(request, server, recurse)
  server.status = 'deleting'
  server.turn += 1
  const finish = (): void => {
    state.servers.delete(server.uuid)
    for (const drive of going) removeDrive(request, drive)
    refreshMounted(
      request,
      server.mounts.map(({ drive }) => drive),
    )
    writeAudit(state, { action: 'delete', entity: server, at: world.now(), actor })
  }
  if (knobs.deleteMs === 0) finish()
  else world.schedule.after(knobs.deleteMs, finish)
  return deleted()
}

function drivesGoing({ state }: ApiRequest, server: Server, recurse: string | null): readonly string[] {
  const media = RECURSED.get(recurse) ?? []
  return server.mounts
    .map(({ drive }) => drive)
    .filter((drive) => media.includes(state.drives.get(drive)?.media ?? '') && state.drives.get(drive)?.owner === server.owner)
}
