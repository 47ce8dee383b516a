import type { Reply } from '../oauth/http.ts'
import { required } from './access.ts'
import { ApiRefusal } from './api-reply.ts'
import { type ApiRequest, accepted, assertRoom, optionalFieldsOf } from './api-request.ts'
import { writeAudit } from './audit.ts'
import { addClone } from './drive-life.ts'
import type { Mount, Server } from './entities.ts'
import { actionOf } from './fields.ts'
import { addJob } from './jobs.ts'
import { refreshMounted } from './mounts.ts'
import { serverJson } from './server-json.ts'
import { restartServer, shutDownServer, startServer, stopServer } from './server-life.ts'

const ACTIONS = ['start', 'stop', 'shutdown', 'restart', 'clone', 'open_vnc', 'close_vnc', 'open_console', 'close_console'] as const
type Action = (typeof ACTIONS)[number]

/** What an ACL must grant for each. A power cut and an orderly stop are one right. */
const PERMISSIONS: Readonly<Record<Action, string>> = {
  start: 'START',
  stop: 'STOP',
  shutdown: 'STOP',
  restart: 'STOP',
  clone: 'CLONE',
  open_vnc: 'OPEN_VNC',
  close_vnc: 'OPEN_VNC',
  open_console: 'OPEN_VNC',
  close_console: 'OPEN_VNC',
}
const VNC_PORT = 42_714

/** `POST /servers/:id/action/?do=…`: taken at once, done later. */
export function actOnServer(request: ApiRequest): Reply {
  const action = actionOf(request.call.query, ACTIONS)
  if (request.world.knobs.emptyActionBody === 'refused' && request.call.body.trim() === '')
    throw new ApiRefusal(400, 'validation', 'The request has no body; send {}')
  const server = required(request, request.state.servers, PERMISSIONS[action])
  const more = perform(request, server, action)
  if (action === 'clone') return accepted(more)
  return accepted({ action, result: 'success', uuid: server.uuid, ...more })
}

function perform(request: ApiRequest, server: Server, action: Action): Readonly<Record<string, unknown>> {
  switch (action) {
    case 'start':
      startServer(request, server)
      return {}
    case 'stop':
      stopServer(request, server)
      return {}
    case 'shutdown':
      shutDownServer(request, server)
      return {}
    case 'restart':
      restartServer(request, server)
      return {}
    case 'clone':
      return cloneServer(request, server)
    case 'open_vnc':
      return { vnc_url: `vnc://direct.${request.region}.localhost:${VNC_PORT}` }
    case 'open_console':
      return { console_url: `tcp://direct.${request.region}.localhost:${VNC_PORT + 1}` }
    case 'close_vnc':
    case 'close_console':
      return {}
  }
}

/** A stopped copy with copies of its drives. Its NICs get new MACs. */
function cloneServer(request: ApiRequest, source: Server): Readonly<Record<string, unknown>> {
  const { world, state, actor } = request
  assertRoom(state.servers, 1)
  const name = nameAsked(request) ?? source.name
  const mounts: Mount[] = source.mounts.flatMap((mount) => {
    const drive = state.drives.get(mount.drive)
    return drive === undefined ? [] : [{ ...mount, drive: addClone(request, drive, { name: drive.name }).uuid }]
  })
  const clone: Server = {
    ...source,
    uuid: world.newUuid('server'),
    owner: actor.user.uuid,
    createdAt: world.now(),
    name,
    tags: [],
    mounts,
    nics: source.nics.map((nic) => ({ ...nic, mac: world.random.mac(), address: null })),
    status: 'stopped',
    activeSince: null,
    jobs: [],
    turn: 0,
    wasRefusedOnce: false,
  }
  clone.jobs = [addJob(request, { operation: 'server_clone', kind: 'servers', from: source.uuid, to: clone.uuid }).uuid]
  state.servers.set(clone.uuid, clone)
  refreshMounted(
    request,
    mounts.map(({ drive }) => drive),
  )
  writeAudit(state, { action: 'clone_dst', entity: clone, at: world.now(), actor })
  return serverJson(request, clone)
}

function nameAsked(request: ApiRequest): string | undefined {
  const { name } = optionalFieldsOf(request)
  return typeof name === 'string' && name !== '' ? name : undefined
}
