import { InputError } from '@ascribe/kit'
import { writeAudit } from './audit.ts'
import { removeDrive } from './drive-life.ts'
import type { Server } from './entities.ts'
import { billTo, refreshMounted } from './mounts.ts'
import { bill, crashHost, moveServer } from './server-life.ts'
import type { World } from './world.ts'

/** Something that happens to a server without any call of a client of ours. */
export type OutsideEvent = {
  /**
   * `crash`: the host dies, the server starts again elsewhere. `unavailable`, `heal`, `pause`: as the infrastructure does.
   * `delete`, `stop`, `rename`, `change_owner`: somebody did it in the web interface, or the cloud's staff.
   */
  readonly event: 'crash' | 'unavailable' | 'heal' | 'pause' | 'delete' | 'stop' | 'rename' | 'change_owner'
  readonly server: string
  /** For `rename`. */
  readonly name?: string
  /** For `change_owner`: an e-mail. */
  readonly owner?: string
  /** For `delete`: its drives too. Default false. */
  readonly drives?: boolean
}

/** Lets it happen now. @throws {InputError} where there is no such server, or the event lacks something. */
export function happen(world: World, event: OutsideEvent): void {
  world.schedule.settle()
  const { server, ...place } = find(world, event.server)
  const mustBe = (...states: readonly Server['status'][]): void => {
    if (!states.includes(server.status))
      throw new InputError(
        `Cannot let '${event.event}' happen: the server is ${server.status}, and would have to be ${states.join(' or ')}`,
      )
  }
  switch (event.event) {
    case 'crash':
      mustBe('running')
      return crashHost(place, server)
    case 'unavailable':
      mustBe('running', 'starting', 'stopping', 'paused')
      return moveServer(place, server, 'unavailable')
    case 'pause':
      mustBe('running')
      return moveServer(place, server, 'paused')
    case 'heal':
      mustBe('unavailable', 'paused')
      return moveServer(place, server, 'running')
    case 'stop':
      mustBe('running', 'starting', 'stopping', 'paused', 'unavailable')
      return moveServer(place, server, 'stopped')
    case 'rename':
      if (typeof event.name !== 'string') throw new InputError('Cannot rename a server: the event has no `name`')
      server.name = event.name
      return
    case 'delete':
      return removeServer(place, server, event.drives === true)
    case 'change_owner':
      return changeOwner(place, server, event.owner)
    default:
      throw new InputError(`Cannot let '${String((event as { event: unknown }).event)}' happen: there is no such event`)
  }
}

type Place = Omit<ReturnType<typeof find>, 'server'>

function find(world: World, uuid: string): { world: World; region: string; state: ReturnType<World['state']>; server: Server } {
  for (const region of world.regions.names) {
    const state = world.state(region)
    const server = state.servers.get(uuid)
    if (server !== undefined) return { world, region, state, server }
  }
  throw new InputError(`Cannot let anything happen to ${uuid}: there is no such server`)
}

function removeServer(place: Place, server: Server, withDrives: boolean): void {
  moveServer(place, server, 'stopped')
  place.state.servers.delete(server.uuid)
  const drives = server.mounts.map(({ drive }) => drive)
  if (withDrives) for (const drive of drives) removeDrive(place, drive)
  else refreshMounted(place, drives)
  writeAudit(place.state, { action: 'delete', entity: server, at: place.world.now() })
}

/** Only the cloud's staff can: the server, its drives and what they cost go over to somebody else. */
function changeOwner({ world, region, state }: Place, server: Server, email: string | undefined): void {
  const next = world.users.byEmail(email ?? '')
  if (next === undefined) throw new InputError(`Cannot change the owner of a server: there is no user ${JSON.stringify(email)}`)
  const isPaid = server.status !== 'stopped' && server.status !== 'deleting'
  const place = { world, region }
  if (isPaid) bill(place, server, false)
  server.owner = next.uuid
  if (isPaid) bill(place, server, true)
  for (const { drive: uuid } of server.mounts) {
    const drive = state.drives.get(uuid)
    if (drive === undefined) continue
    drive.owner = next.uuid
    billTo(place, drive, next.uuid)
  }
  writeAudit(state, { action: 'change_owner', entity: server, at: world.now() })
}
