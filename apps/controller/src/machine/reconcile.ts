import { isDeepStrictEqual } from 'node:util'
import { ANNOTATIONS, CAPI, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine, MachineStatus } from '@ascribe/kinds'
import { isKubeError } from '@ascribe/kube'
import type { ObjectKey, Reconcile, ReconcileContext, Result } from '@ascribe/kube'
import { applyAbandon } from '../abandon/apply-abandon.ts'
import { applyClone, applyCreateServer, applyPin, applyRecord, applyStamp, applyStrip, trustToken } from './apply-create.ts'
import { applyDeleteDrive, applyDeleteServer, applyStart, applyStop } from './apply-server.ts'
import type { CapiCluster, CapiMachine } from './capi.ts'
import type { MachineWorld } from './deps.ts'
import { desiredOf } from './desired.ts'
import { HoldError } from './hold-error.ts'
import { claimedServer, recordedServer } from './marks.ts'
import { meter } from './metering.ts'
import { observe } from './observe.ts'
import { ourServers, unrecorded } from './plan-ours.ts'
import { plan } from './plan.ts'
import { applyReadDrive, applyReadServer, applySearch } from './read.ts'
import { applyRelease } from './release.ts'
import { freshen, isDeleting, keepLatest, markQuarantine, pinOf, tokenOf } from './run.ts'
import type { Run } from './run.ts'
import { statusOf } from './status.ts'
import type { Ending } from './status.ts'
import { troubleOf } from './trouble.ts'
import type { Doing, Trouble } from './trouble.ts'
import type { Hold, Observed, Step } from './types.ts'

/** Steps of one run: a machine with all its disks needs fewer; a plan that turns in circles must end. */
const STEPS_MAX = 200
/** What heals by itself is tried at least so often, so that all goes on soon after an outage; what is slow, or needs a person, more seldom. */
const BACKOFF_MS_MAX = 60_000
const SLOW_BACKOFF_MS_MAX = 600_000
const SLOW_MS = 10_000
const CACHE_WAIT_MS = 500

/** One machine towards what it should be: observe, plan, apply, again, until there is nothing to do now; then one patch of the status. */
export function createReconcile(world: MachineWorld): Reconcile {
  return async (key, context) => {
    const machine = world.caches.machines.get(key)
    if (machine === undefined || !isOurs(world, machine)) return {}
    // Proofs hold the namespace's uid: without it what is ours would look like somebody else's.
    if (world.caches.namespaces.get({ name: key.namespace ?? '' }) === undefined) return { requeueAfterMs: CACHE_WAIT_MS }
    const run = beginRun(world, machine, { key, context })
    await freshen(run)
    if (run.isGone) return {}
    meetToken(run)
    meetClaim(run)
    await markQuarantine(run)
    if (run.isGone) return {}
    const ending = await work(run)
    if (run.isGone) return {}
    await conclude(run, ending)
    return resultOf(run, ending)
  }
}

/**
 * C-10, and what somebody else manages: neither spec nor status is touched then (C-24). What bears our token was made by us: a word that any
 * tenant can write hides no server from metering and deletion.
 */
function isOurs({ watchFilter }: MachineWorld, { metadata: { labels, annotations } }: CloudSigmaMachine): boolean {
  if (watchFilter !== undefined && labels?.[CAPI.watchFilter] !== watchFilter) return false
  if (annotations?.[ANNOTATIONS.createToken] !== undefined) return true
  return annotations?.[CAPI.managedBy] === undefined && labels?.[CAPI.managedBy] === undefined
}

function beginRun(
  world: MachineWorld,
  machine: CloudSigmaMachine,
  { key, context }: { readonly key: ObjectKey; readonly context: ReconcileContext },
): Run {
  const { caches } = world
  const namespace = key.namespace ?? ''
  const owner = machine.metadata.ownerReferences?.find(({ kind }) => kind === 'Machine')
  const capiMachine: CapiMachine | undefined = owner === undefined ? undefined : caches.capiMachines.get({ namespace, name: owner.name })
  const clusterName =
    capiMachine?.spec?.clusterName ?? machine.metadata.labels?.[CAPI.clusterName] ?? capiMachine?.metadata.labels?.[CAPI.clusterName]
  const capiCluster: CapiCluster | undefined =
    clusterName === undefined ? undefined : caches.capiClusters.get({ namespace, name: clusterName })
  const cluster = clusterName === undefined ? undefined : cloudClusterOf(world, { namespace, capiCluster, clusterName })
  const uid = machine.metadata.uid ?? ''
  const run: Run = {
    world,
    key,
    uid,
    logger: context.logger,
    memory: world.memories.of(uid, world.clocks.monotonic()),
    machine,
    isGone: false,
    cluster,
    capiCluster,
    capiMachine,
    namespaceUid: caches.namespaces.get({ name: namespace })?.metadata.uid,
    desired: desiredOf(machine.spec, cluster),
    server: { is: 'unread' },
    rawServer: undefined,
    drives: new Map(),
    rawDrives: new Map(),
    search: undefined,
    searchBegunAt: 0,
    cloud: undefined,
    pooled: new Map(),
  }
  return run
}

/** By the Cluster's reference; where that names another kind (kube-dc runs Kamaji with its own), the one of the Cluster's name. */
function cloudClusterOf(
  { caches }: MachineWorld,
  {
    namespace,
    capiCluster,
    clusterName,
  }: { readonly namespace: string; readonly capiCluster: CapiCluster | undefined; readonly clusterName: string },
): CloudSigmaCluster | undefined {
  const ref = capiCluster?.spec?.infrastructureRef
  const name = ref?.kind === 'CloudSigmaCluster' && ref.name !== undefined ? ref.name : clusterName
  return caches.clusters.get({ namespace, name })
}

/** A token that turns up and is not the one this process wrote has been used, for all we know, until now. */
function meetToken(run: Run): void {
  const { memory, machine, world } = run
  const token = tokenOf(machine)
  if (token === undefined || token === memory.seenToken) return
  trustToken(run)
  if (memory.seenToken === token) return
  memory.seenToken = token
  memory.doubtSince = world.clocks.monotonic()
  memory.emptyAt = undefined
  if (machine.status?.initialization?.provisioned !== true) memory.sweepAt = world.clocks.monotonic() + world.listGraceMs
}

/** A server is named where none is recorded: it is somebody's word, or our record was lost. Lists say which, before anything else is done. */
function meetClaim({ memory, machine, world }: Run): void {
  const claimed = tokenOf(machine) === undefined || recordedServer(machine) !== undefined ? undefined : claimedServer(machine)
  if (claimed === undefined || claimed === memory.doubtedClaim) return
  memory.doubtedClaim = claimed
  memory.doubtSince = world.clocks.monotonic()
  memory.emptyAt = undefined
}

async function work(run: Run): Promise<Ending> {
  let observed = await observe(run)
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const step = plan(observed)
    if (step.do === 'ignore') return { hold: undefined, trouble: undefined, observed }
    if (step.do === 'rest') return { hold: undefined, trouble: undefined, observed }
    if (step.do === 'hold') return { hold: step, trouble: undefined, observed }
    const failed = await applyOne(run, { step, observed })
    if (run.isGone) return { hold: undefined, trouble: undefined, observed }
    if (failed !== undefined) return { ...failed, observed: await observe(run) }
    observed = await observe(run)
  }
  run.logger.error('the plan of a machine did not come to an end', { machine: run.key.name })
  return {
    hold: { reason: 'WaitingForController', message: 'The plan did not come to an end; it is tried again', retryAfterMs: 60_000 },
    trouble: undefined,
    observed,
  }
}

type Failed = { readonly hold: Hold | undefined; readonly trouble: Trouble | undefined }

/** One step, unless it failed a short while ago: then that is said again, and nothing is sent, whatever woke us. */
async function applyOne(run: Run, { step, observed }: { readonly step: Step; readonly observed: Observed }): Promise<Failed | undefined> {
  const { memory, world } = run
  const name = nameOf(step)
  const now = world.clocks.monotonic()
  const { blocked } = memory
  if (blocked !== undefined && blocked.step === name && blocked.until > now && blocked.epoch === world.epoch.count)
    return { hold: undefined, trouble: { ...blocked.trouble, retryAfterMs: blocked.until - now, grows: false } }
  try {
    await apply(run, { step, observed })
    if (blocked?.step === name) {
      memory.blocked = undefined
      memory.failures = 0
    }
    return undefined
  } catch (error) {
    if (error instanceof HoldError) return { hold: error.hold, trouble: undefined }
    const trouble = troubleOf(error, doingOf(step), (thrown) => world.authority.explain(thrown))
    run.logger.warn('a step failed', { step: step.do, reason: trouble.reason, error })
    memory.failures += 1
    const waitMs = trouble.grows
      ? Math.min(
          trouble.retryAfterMs > SLOW_MS ? SLOW_BACKOFF_MS_MAX : BACKOFF_MS_MAX,
          trouble.retryAfterMs * 2 ** Math.min(memory.failures - 1, 10),
        )
      : trouble.retryAfterMs
    const jittered = Math.ceil(waitMs * (0.8 + 0.4 * world.random()))
    memory.blocked = { step: name, until: now + jittered, epoch: world.epoch.count, trouble }
    return { hold: undefined, trouble: { ...trouble, retryAfterMs: jittered } }
  }
}

function nameOf(step: Step): string {
  if ('server' in step && step.server !== undefined) return `${step.do} ${step.server}`
  if ('drive' in step) return `${step.do} ${step.drive}`
  return 'disk' in step ? `${step.do} ${step.disk}` : step.do
}

function doingOf(step: Step): Doing {
  switch (step.do) {
    case 'clone':
    case 'create-server':
      return 'create'
    case 'start':
      return 'start'
    case 'stamp':
    case 'strip-bootstrap':
      return 'change'
    case 'stop':
    case 'delete-server':
    case 'delete-drive':
      return 'delete'
    default:
      return 'read'
  }
}

async function apply(run: Run, { step, observed }: { readonly step: Step; readonly observed: Observed }): Promise<void> {
  switch (step.do) {
    case 'pin':
      return applyPin(run)
    case 'read-server':
      await applyReadServer(run, step.server)
      // What was on until now has to be known before it is ended.
      if (isDeleting(run.machine) && run.rawServer !== undefined) await meter(run, { isGone: false })
      return
    case 'read-drive':
      return applyReadDrive(run, step.drive)
    case 'search':
      await applySearch(run)
      return settleDoubt(run, observed)
    case 'record':
      return applyRecord(run, step)
    case 'clone':
      return applyClone(run, step)
    case 'stamp':
      return applyStamp(run, step)
    case 'create-server':
      return applyCreateServer(run)
    case 'start':
      return applyStart(run, step)
    case 'strip-bootstrap':
      return applyStrip(run, step)
    case 'stop':
      return applyStop(run, step)
    case 'delete-server':
      return applyDeleteServer(run, step)
    case 'delete-drive':
      return applyDeleteDrive(run, step)
    case 'release':
      return applyRelease(run)
    case 'abandon':
      return applyAbandon(run)
    case 'hold':
    case 'rest':
    case 'ignore':
  }
}

/** What a list means for the doubt: nothing twice, with the grace between, is nothing. */
function settleDoubt(run: Run, observed: Observed): void {
  const { memory, world, search, searchBegunAt } = run
  if (observed.isSweepDue && search !== undefined && isClean(observed, run)) memory.sweepAt = undefined
  if (memory.doubtSince === undefined || unrecorded({ ...observed, search }) !== undefined) return
  if (memory.emptyAt === undefined) memory.emptyAt = searchBegunAt
  else if (searchBegunAt >= memory.emptyAt + world.listGraceMs) {
    memory.doubtSince = undefined
    memory.emptyAt = undefined
  }
}

/** The sweep found nothing to take away: nothing of ours beside what is recorded. Copies that the owner made are not ours. */
function isClean(observed: Observed, { search }: Run): boolean {
  if (search === undefined) return false
  const recorded = new Set(observed.disks.map((each) => each.recorded))
  return (
    ourServers(observed, search).every(({ uuid }) => uuid === observed.machine.server) &&
    search.drives.every(({ uuid }) => recorded.has(uuid))
  )
}

/** Metering of what was seen, then the one patch of the status, on every exit. */
async function conclude(run: Run, ending: Ending): Promise<void> {
  if (ending.observed.machine.isServerRecorded && !isDeleting(run.machine) && isAsSeen(run)) await meterQuietly(run)
  if (ending.observed.machine.isDeleting && !ending.observed.machine.hasFinalizer) return
  const status = statusOf(run, ending, run.world.clocks.wall())
  tell(run, status)
  if (isDeepStrictEqual(status, run.machine.status)) return
  try {
    run.machine = await run.world.kube.patchStatus(MACHINES, run.key, {
      patch: { type: 'merge', body: { metadata: { uid: run.uid }, status } },
      fieldManager: 'ascribe',
    })
    keepLatest(run)
  } catch (error) {
    if (!isKubeError(error, 'NotFound', 'Conflict')) throw error
  }
}

/** A Warning when what stands in the way of Ready becomes something that people can do something about. */
function tell({ machine, world }: Run, status: MachineStatus): void {
  const [before, now] = [machine.status, status].map((each) => each?.conditions?.find(({ type }) => type === 'Ready'))
  if (
    now?.reason === undefined ||
    now.status === 'True' ||
    now.reason === before?.reason ||
    /^(Waiting|Paused$|Deleting$)/.test(now.reason)
  )
    return
  world.events.record(machine, { type: 'Warning', reason: now.reason, note: now.message ?? '' })
}

/** Whether the server still is what it was when it was read: what was started since is told by the next look. */
function isAsSeen({ rawServer, server }: Run): boolean {
  return rawServer !== undefined && server.is === 'seen' && server.thing.status === rawServer.server.status
}

/** Metering that fails is tried at the next look; it never makes a machine look broken. */
async function meterQuietly(run: Run): Promise<void> {
  try {
    await meter(run, { isGone: false })
  } catch (error) {
    run.logger.warn('what was seen could not be metered; it is tried again', { error })
  }
}

function resultOf(run: Run, { hold, trouble, observed }: Ending): Result {
  const { world, memory } = run
  if (hold !== undefined) world.metrics.held(hold.reason)
  if (trouble !== undefined) world.metrics.held(trouble.reason)
  const waits: number[] = []
  if (trouble !== undefined) waits.push(trouble.retryAfterMs)
  if (hold?.retryAfterMs !== undefined) waits.push(hold.retryAfterMs)
  const pin = pinOf(run.machine)
  if (pin !== undefined && recordedServer(run.machine) !== undefined && observed.pause === undefined) waits.push(nextSyncMs(run, pin))
  const sweepMs = (memory.sweepAt ?? 0) - world.clocks.monotonic()
  if (sweepMs > 0 && !observed.machine.isDeleting && observed.machine.server !== undefined) waits.push(sweepMs)
  return waits.length === 0 ? {} : { requeueAfterMs: Math.max(1, Math.ceil(Math.min(...waits))) }
}

/** When the account's list has become too old, so that all its machines share the next one, spread over a twentieth of the time. */
function nextSyncMs({ world, memory, machine, cloud }: Run, pin: NonNullable<ReturnType<typeof pinOf>>): number {
  const now = world.clocks.monotonic()
  const look = memory.serverLooks.get(recordedServer(machine) ?? '')
  const begunAt = (cloud === undefined ? undefined : world.views.serversBegunAt({ pin, cloud })) ?? now
  const due = Math.max(begunAt + world.syncMs, look?.until ?? 0) - now
  return Math.max(world.syncMs / 20, due) + world.random() * (world.syncMs / 20) + 1
}
