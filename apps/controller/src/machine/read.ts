import type { Drive, Server } from '@ascribe/cloudsigma'
import { seenDrive, seenServer } from './marks.ts'
import { BUSY_DRIVE } from './plan-basics.ts'
import { CALL_DEADLINE_MS, cloudOf, identityOf, isDeleting, pinOf, tokenOf } from './run.ts'
import type { Run } from './run.ts'
import { isFault, sanitize } from './trouble.ts'
import type { Known, Search } from './types.ts'

/** States of a server that end by themselves. */
const BUSY_SERVER: ReadonlySet<string> = new Set(['starting', 'stopping', 'deleting'])

/** The one reading of a failed GET: only the API's own 404 is "gone", every 403 is "may not look". */
async function known<Raw>(call: () => Promise<Raw>): Promise<{ readonly raw: Raw } | Exclude<Known<never>, { readonly is: 'seen' }>> {
  try {
    return { raw: await call() }
  } catch (error) {
    if (isFault(error, 'notFound')) return { is: 'gone' }
    if (isFault(error, 'acl', 'forbidden', 'scope')) return { is: 'barred', message: sanitize(error.message) }
    throw error
  }
}

/**
 * Reads the recorded server. A machine that runs is looked up in the list that all machines of the account share; anything that a list
 * does not show as running is asked for by its uuid, which has no lag (3.4).
 */
export async function applyReadServer(run: Run, uuid: string): Promise<void> {
  const { memory, world, machine } = run
  const look = memory.serverLooks.get(uuid)
  // What is to be ended is looked at afresh, unless it is known to be on its way.
  const isUsable = look !== undefined && (!isDeleting(machine) || look.known.is !== 'seen' || memory.begun.has(uuid))
  if (isUsable && isNewEnough(run, { uuid, until: look.until })) {
    run.server = look.known
    return
  }
  lookAt(run, uuid)
  const isSteady = machine.status?.initialization?.provisioned === true && !isDeleting(machine)
  if (isSteady && (await readFromList(run, uuid))) return
  const { cloud } = await cloudOf(run)
  const at = world.clocks.wall()
  const answer = await known(() => cloud.servers.get(uuid, { deadlineMs: CALL_DEADLINE_MS }))
  if ('raw' in answer) return keepServer(run, answer.raw, { at })
  run.server = answer
  if (answer.is === 'gone') memory.goneAt ??= at
  // Nobody gives back what is gone, and who may look changes rarely: not at every change of an object.
  memory.serverLooks.set(uuid, { until: world.clocks.monotonic() + world.syncMs, known: answer })
}

async function readFromList(run: Run, uuid: string): Promise<boolean> {
  const { world, memory } = run
  const { cloud, pin } = await cloudOf(run)
  const notBefore = Math.max(world.clocks.monotonic() - world.syncMs, memory.changedAt)
  const { items, begunWall } = await world.views.servers({ pin, cloud, notBefore })
  const server = items.get(uuid)
  if (server?.status !== 'running') return false
  keepServer(run, server, { at: begunWall, isListed: true })
  return true
}

type KeepOptions = {
  /** When it was asked for, by the wall clock. Default now. */
  readonly at?: number
  /** It comes from the list that all share. */
  readonly isListed?: boolean
}

/** What is now known of the server, from a read or from the answer to a change. */
export function keepServer(run: Run, server: Server, { at = run.world.clocks.wall(), isListed = false }: KeepOptions = {}): void {
  const { world, memory } = run
  run.rawServer = { server, at }
  run.server = { is: 'seen', thing: seenServer(server, identityOf(run), world.proofKey) }
  memory.serverLooks.delete(server.uuid)
  const region = pinOf(run.machine)?.region ?? ''
  waitFor(run, { uuid: server.uuid, isBusy: BUSY_SERVER.has(server.status), what: `${server.status} ${region}` })
  if (memory.begun.has(server.uuid)) memory.serverLooks.set(server.uuid, { until: 0, known: run.server })
  // Seen just now, and not by the list: that of the account need not be taken again for this one.
  else if (server.status === 'running' && !isListed)
    memory.serverLooks.set(server.uuid, { until: world.clocks.monotonic() + world.syncMs, known: run.server })
}

/** Whether another look at it would be a waste: it is under way and cannot be done yet, or was read a moment ago. */
function isNewEnough({ memory, world }: Run, { uuid, until }: { readonly uuid: string; readonly until: number }): boolean {
  const now = world.clocks.monotonic()
  const begun = memory.begun.get(uuid)
  return begun === undefined ? now < until : world.durations.waitMs(begun, now) > 0
}

function lookAt({ memory, world }: Run, uuid: string): void {
  const begun = memory.begun.get(uuid)
  if (begun !== undefined) world.durations.look(begun, world.clocks.monotonic())
}

/** A drive that waits for its server is not asked for again while the others are cloned. */
const RESTING_MS = 10_000

/** Reads a drive by its uuid, unless it cannot be done yet. */
export async function applyReadDrive(run: Run, uuid: string): Promise<void> {
  const look = run.memory.driveLooks.get(uuid)
  const isUsable = look !== undefined && (!isDeleting(run.machine) || (look.known.is === 'seen' && BUSY_DRIVE.has(look.known.thing.status)))
  if (isUsable && isNewEnough(run, { uuid, until: look.until })) return void run.drives.set(uuid, look.known)
  lookAt(run, uuid)
  await readDrive(run, uuid)
}

/** As the cloud has it now; `undefined` when there is none that may be looked at, which stands in `run.drives`. */
export async function readDrive(run: Run, uuid: string): Promise<Drive | undefined> {
  const kept = run.rawDrives.get(uuid)
  if (kept !== undefined) return kept
  const { cloud } = await cloudOf(run)
  const answer = await known(() => cloud.drives.get(uuid, { deadlineMs: CALL_DEADLINE_MS }))
  if ('raw' in answer) {
    keepDrive(run, answer.raw)
    if (BUSY_DRIVE.has(answer.raw.status)) await readProgress(run, answer.raw)
    return answer.raw
  }
  run.drives.set(uuid, answer)
  return undefined
}

export function keepDrive(run: Run, drive: Drive): void {
  const { world, memory } = run
  const thing = { is: 'seen' as const, thing: seenDrive(drive, tokenOf(run.machine)) }
  run.drives.set(drive.uuid, thing)
  const isBusy = BUSY_DRIVE.has(drive.status)
  if (isBusy) run.rawDrives.delete(drive.uuid)
  else run.rawDrives.set(drive.uuid, drive)
  memory.driveLooks.delete(drive.uuid)
  waitFor(run, { uuid: drive.uuid, isBusy, what: drive.status })
  memory.driveLooks.set(drive.uuid, { until: isBusy ? 0 : world.clocks.monotonic() + RESTING_MS, known: thing })
}

/** Keeps when something began that takes its time, and learns from how long it took. */
function waitFor(run: Run, { uuid, isBusy, what }: { readonly uuid: string; readonly isBusy: boolean; readonly what: string }): void {
  const { memory, world } = run
  const now = world.clocks.monotonic()
  const begun = memory.begun.get(uuid)
  if (isBusy) {
    if (begun === undefined) memory.begun.set(uuid, { at: now, what, notYetAt: now })
    else if (now > begun.at) begun.notYetAt = now
    return
  }
  memory.jobs.delete(uuid)
  if (begun === undefined) return
  memory.begun.delete(uuid)
  world.durations.done(begun, now)
}

/** How far a clone is, in tens: for the condition's message, where it takes long, and once in a while only. */
async function readProgress(run: Run, drive: Drive): Promise<void> {
  const { memory, world } = run
  const now = world.clocks.monotonic()
  const job = drive.jobs[0] ?? memory.jobs.get(drive.uuid)
  const begun = memory.begun.get(drive.uuid)
  if (job === undefined || begun === undefined || now - begun.at < PROGRESS_AFTER_MS || now - memory.progressAt < PROGRESS_EVERY_MS) return
  memory.progressAt = now
  const { cloud } = await cloudOf(run)
  try {
    const { progress } = await cloud.jobs.get(job, { deadlineMs: CALL_DEADLINE_MS })
    memory.progress = progress === undefined ? undefined : `${Math.floor(progress / 10) * 10} %`
  } catch {
    // A job is kept for three days at most, and its progress decides nothing.
  }
}

const PROGRESS_AFTER_MS = 5_000
const PROGRESS_EVERY_MS = 5_000

/** Everything in the account with the machine's token, from whole lists that are new enough to count. */
export async function applySearch(run: Run): Promise<void> {
  const { memory, world } = run
  const { cloud, pin } = await cloudOf(run)
  const after = memory.emptyAt === undefined ? 0 : memory.emptyAt + world.listGraceMs
  const notBefore = Math.max(memory.changedAt, memory.doubtSince ?? 0, after)
  const [servers, drives] = await Promise.all([
    world.views.servers({ pin, cloud, notBefore }),
    world.views.drives({ pin, cloud, notBefore }),
  ])
  const identity = identityOf(run)
  const token = tokenOf(run.machine)
  const search: Search = {
    servers: [...servers.items.values()].map((each) => seenServer(each, identity, world.proofKey)).filter(({ isMarked }) => isMarked),
    drives: [...drives.items.values()].map((each) => seenDrive(each, token)).filter(({ disk }) => disk !== undefined),
  }
  run.search = search
  run.searchBegunAt = Math.min(servers.begunAt, drives.begunAt)
}
