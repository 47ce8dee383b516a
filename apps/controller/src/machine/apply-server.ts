import { mutate, pinOf } from './run.ts'
import type { Run } from './run.ts'
import { HoldError } from './hold-error.ts'
import type { Step } from './types.ts'

type Doing<Kind extends Step['do']> = Extract<Step, { readonly do: Kind }>

const RESTART_MS = 60_000
const RESTART_MS_MAX = 1_800_000

/**
 * Starts a server. One that ran and was stopped by somebody else is started again, since nothing in the API says that a machine shall
 * rest; each time later, so that we do not wrestle with whoever stops it (ADR 0082).
 */
export async function applyStart(run: Run, { server: uuid, isRestart }: Doing<'start'>): Promise<void> {
  const { memory, world, machine } = run
  const now = world.clocks.monotonic()
  if (isRestart) {
    const due = (memory.restartedAt ?? -Infinity) + Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** Math.max(0, memory.restarts - 1))
    if (now < due)
      throw new HoldError({
        reason: 'WaitingForServer',
        message: 'The server was stopped by somebody else, again. It is started once more later; pause the Machine to keep it stopped',
        retryAfterMs: Math.ceil(due - now),
      })
  }
  let startedAt = 0
  await mutate(run, { verb: 'start', resource: { type: 'server', uuid }, makes: false }, async (cloud, options) => {
    await cloud.servers.act(uuid, 'start', options)
    // When the answer came, and not when it was asked for: writing down the intent, a token and the way there are not the owner's to pay.
    startedAt = world.clocks.wall()
  })
  memory.started = { server: uuid, at: startedAt }
  if (isRestart) {
    memory.restartedAt = now
    memory.restarts += 1
    world.events.record(machine, {
      type: 'Warning',
      reason: 'ServerRestarted',
      note: `Server ${uuid} had been stopped by somebody else`,
      action: 'Start',
    })
  }
  becomes(run, { uuid, status: 'starting' })
}

export async function applyStop(run: Run, { server: uuid }: Doing<'stop'>): Promise<void> {
  await mutate(run, { verb: 'stop', resource: { type: 'server', uuid }, makes: false }, (cloud, options) =>
    cloud.servers.act(uuid, 'stop', options),
  )
  becomes(run, { uuid, status: 'stopping' })
}

/** Asked for, and taken: what it becomes until somebody looks. */
function becomes(run: Run, { uuid, status }: { readonly uuid: string; readonly status: string }): void {
  const { memory, world } = run
  const now = world.clocks.monotonic()
  const what = `${status} ${pinOf(run.machine)?.region ?? ''}`
  memory.begun.set(uuid, { at: now, what, notYetAt: now })
  if (run.server.is !== 'seen' || run.server.thing.uuid !== uuid) return
  run.server = { is: 'seen', thing: { ...run.server.thing, status, isIdle: false } }
  memory.serverLooks.set(uuid, { until: 0, known: run.server })
}

/** Begins the end of a stopped server; that it is gone is what the next GET says, not this answer. */
export async function applyDeleteServer(run: Run, { server: uuid, isSecond }: Doing<'delete-server'>): Promise<void> {
  const { memory, world, machine } = run
  await mutate(run, { verb: 'delete_server', resource: { type: 'server', uuid }, makes: false }, (cloud, options) =>
    cloud.servers.delete(uuid, options),
  )
  memory.serverLooks.delete(uuid)
  if (isSecond) {
    world.metrics.second('server')
    world.events.record(machine, {
      type: 'Warning',
      reason: 'SecondServerRemoved',
      note: `Server ${uuid} had been made a second time and never started`,
      action: 'Delete',
    })
    return
  }
  run.server = { is: 'unread' }
  const now = world.clocks.monotonic()
  memory.begun.set(uuid, { at: now, what: `deleting ${pinOf(machine)?.region ?? ''}`, notYetAt: now })
  world.metrics.deleted(pinOf(machine)?.region ?? '')
  world.events.record(machine, { type: 'Normal', reason: 'ServerDeleted', note: `Server ${uuid} is being deleted`, action: 'Delete' })
}

export async function applyDeleteDrive(run: Run, { drive: uuid, isSecond }: Doing<'delete-drive'>): Promise<void> {
  await mutate(run, { verb: 'delete_drive', resource: { type: 'drive', uuid }, makes: false }, (cloud, options) =>
    cloud.drives.delete(uuid, options),
  )
  run.memory.driveLooks.delete(uuid)
  run.rawDrives.delete(uuid)
  run.drives.delete(uuid)
  if (!isSecond) return
  run.world.metrics.second('drive')
  run.world.events.record(run.machine, {
    type: 'Warning',
    reason: 'SecondDriveRemoved',
    note: `Drive ${uuid} bore the machine's token and was on nothing`,
    action: 'Delete',
  })
}
