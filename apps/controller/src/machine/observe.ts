import { ANNOTATIONS, CAPI, FINALIZERS } from '@ascribe/kinds'
import { AuthorityError } from '../authority/errors.ts'
import { ensureAddresses } from './addresses.ts'
import { annotationOf, claimedServer, recordedServer, serverOfProviderId } from './marks.ts'
import { disksOf, isDeleting, pinOf, purposeOf, tokenOf } from './run.ts'
import type { Run } from './run.ts'
import { sanitize } from './trouble.ts'
import type { DiskState, Hold, MachineFacts, Observed } from './types.ts'

/** Everything that {@link plan} decides on, from caches and from what this run has read. Asks the cloud nothing. */
export async function observe(run: Run): Promise<Observed> {
  settleMade(run)
  const machine = factsOf(run)
  const gate = gateOf(run)
  const invalid = typeof run.desired === 'string' ? { reason: 'InvalidSpec', message: run.desired } : undefined
  const isOpen = !machine.isDeleting && gate === undefined && invalid === undefined
  const selection = isOpen && machine.token === undefined && !machine.hasFinalizer ? await select(run) : undefined
  const pin = selection?.is === 'pin' ? selection.pin : typeof machine.pin === 'object' ? machine.pin : undefined
  const disks = disksOf(run).map((recorded) => diskOf(run, recorded))
  const isUntouched = machine.server === undefined && disks.every(({ recorded }) => recorded === undefined)
  return {
    machine,
    pause: pauseOf(run),
    gate,
    invalid,
    selection: selection === undefined ? undefined : selection.is === 'pin' ? { is: 'pin' } : selection,
    refusal: machine.token === undefined ? undefined : refusalOf(run),
    quota: isOpen && isUntouched && pin !== undefined ? quotaOf(run, pin) : undefined,
    server: run.server,
    disks,
    addresses: isOpen && machine.token !== undefined && machine.server === undefined ? await ensureAddresses(run) : undefined,
    doubt: doubtOf(run, { isComplete: machine.server !== undefined && disks.every(({ recorded }) => recorded !== undefined) }),
    search: run.search,
    isSweepDue: run.memory.sweepAt !== undefined && run.world.clocks.monotonic() >= run.memory.sweepAt,
    pollMs: pollMsOf(run),
  }
}

/** What was made and is on the object is done with; what another process was faster with is a second one, and looked for. */
function settleMade(run: Run): void {
  const { memory, machine, world } = run
  if (memory.made === undefined) return
  const { server, drives } = memory.made
  const recorded = recordedServer(machine)
  const disks = disksOf(run)
  const isOpen = (server !== undefined && recorded === undefined) || drives.some(({ disk }) => disks[disk] === undefined)
  if (isOpen) return
  const isSecond = (server !== undefined && server !== recorded) || drives.some(({ disk, drive }) => disks[disk] !== drive)
  if (isSecond) memory.sweepAt = world.clocks.monotonic() + world.listGraceMs
  memory.made = undefined
}

function factsOf(run: Run): MachineFacts {
  const { machine, capiMachine, memory } = run
  const { status = {}, metadata, spec } = machine
  const server = recordedServer(machine)
  const accountText = annotationOf(machine, ANNOTATIONS.account)
  const made = memory.made
  const missing = made === undefined ? [] : made.drives.filter(({ disk }) => disksOf(run)[disk] === undefined)
  const madeServer = server === undefined ? made?.server : undefined
  const claimed = server === undefined ? claimedServer(machine) : serverOfProviderId(spec.providerID)
  return {
    isDeleting: isDeleting(machine),
    hasFinalizer: metadata.finalizers?.includes(FINALIZERS.machine) === true,
    token: tokenOf(machine),
    pin: accountText === undefined ? undefined : (pinOf(machine) ?? 'unreadable'),
    server,
    claimed: claimed === server ? undefined : claimed,
    isServerRecorded:
      server !== undefined && annotationOf(machine, ANNOTATIONS.server) === server && serverOfProviderId(spec.providerID) === server,
    made:
      madeServer === undefined && missing.length === 0
        ? undefined
        : { do: 'record', ...(madeServer !== undefined && { server: madeServer }), ...(missing.length > 0 && { drives: missing }) },
    quarantined: quarantinedOf(annotationOf(machine, ANNOTATIONS.quarantine) ?? memory.quarantine),
    isAbandoned: isAbandoned(run),
    isProvisioned: status.initialization?.provisioned === true || status.ready === true,
    hasJoined: capiMachine?.status?.nodeRef?.name !== undefined,
  }
}

function quarantinedOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const id = /"resource":"([0-9a-f-]{36})"/.exec(text)?.[1]
  return id ?? 'something'
}

/** Two people: one asked, another agreed. Who they are was checked by the API server when they wrote it (dual control, 5.7). */
function isAbandoned({ machine }: Pick<Run, 'machine'>): boolean {
  const asks = annotationOf(machine, ANNOTATIONS.abandon)
  const agrees = annotationOf(machine, ANNOTATIONS.abandonApproved)
  return asks !== undefined && agrees !== undefined && asks !== agrees
}

/** C-7: by the Cluster's spec or by the annotation, with any value; deletes too. */
function pauseOf({ machine, capiCluster }: Run): Hold | undefined {
  const isPaused = capiCluster?.spec?.paused === true || machine.metadata.annotations?.[CAPI.paused] !== undefined
  return isPaused ? { reason: 'Paused', message: 'Paused: nothing is done, deletion included, until the pause is taken away' } : undefined
}

/** The gates of C-34, in their order. */
function gateOf({ machine, capiMachine, capiCluster, cluster }: Run): Hold | undefined {
  if (machine.metadata.ownerReferences?.some(({ kind }) => kind === 'Machine') !== true)
    return { reason: 'WaitingForMachine', message: 'No Machine owns this object yet' }
  if (capiMachine === undefined) return { reason: 'WaitingForMachine', message: 'The Machine that owns this object is not there' }
  if (capiCluster === undefined) return { reason: 'WaitingForCluster', message: 'The Cluster of the Machine is not there' }
  if (cluster === undefined)
    return {
      reason: 'WaitingForCluster',
      message: 'There is no CloudSigmaCluster for the Cluster: by its infrastructureRef, or of its name',
    }
  const { failureDomain } = capiMachine.spec ?? {}
  if (failureDomain !== undefined && failureDomain !== cluster.spec.region)
    return {
      reason: 'InvalidSpec',
      message: `The Machine asks for failure domain ${failureDomain}, and its cluster is in ${cluster.spec.region}`,
    }
  const { status } = capiCluster
  if (status?.initialization?.infrastructureProvisioned !== true && status?.infrastructureReady !== true)
    return { reason: 'WaitingForClusterInfrastructure', message: 'The Cluster’s infrastructure is not provisioned yet' }
  if (capiMachine.spec?.bootstrap?.dataSecretName === undefined)
    return { reason: 'WaitingForBootstrapData', message: 'The Machine has no bootstrap data yet' }
  return undefined
}

async function select(run: Run): Promise<{ is: 'pin'; pin: NonNullable<ReturnType<typeof pinOf>> } | { is: 'hold'; hold: Hold }> {
  const { world, cluster, machine, key } = run
  if (cluster === undefined) return { is: 'hold', hold: { reason: 'WaitingForCluster', message: 'There is no CloudSigmaCluster' } }
  const selection = await world.authority.select({ namespace: key.namespace ?? '', cluster, machine })
  if (selection.outcome === 'selected') return { is: 'pin', pin: selection.pin }
  const { reason, message } = selection
  return {
    is: 'hold',
    hold: { reason, message: sanitize(message), retryAfterMs: selection.outcome === 'waiting' ? selection.retryAfterMs : undefined },
  }
}

/** Asked at every look at the object, before anything is sent; and again before every request (5.4). */
function refusalOf(run: Run): Hold | undefined {
  const pin = pinOf(run.machine)
  if (pin === undefined) return undefined
  try {
    run.world.authority.authorize(pin, { namespace: run.key.namespace ?? '', purpose: purposeOf(run.machine) })
    return undefined
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error
    return { reason: error.reason, message: sanitize(error.message), retryAfterMs: error.retryAfterMs }
  }
}

function quotaOf({ world, desired, key, uid }: Run, pin: NonNullable<ReturnType<typeof pinOf>>): Hold | undefined {
  if (typeof desired === 'string') return undefined
  const refused = world.authority.admit(pin, {
    namespace: key.namespace ?? '',
    name: key.name,
    uid,
    cpuMhz: desired.cpuMhz,
    memoryMib: desired.memoryMib,
    drives: desired.disks.length,
  })
  return refused === undefined
    ? undefined
    : { reason: refused.reason, message: sanitize(refused.message), retryAfterMs: refused.retryAfterMs ?? QUOTA_RETRY_MS }
}

/** Room comes from other machines that go; nobody tells us of it. */
const QUOTA_RETRY_MS = 30_000

function diskOf(run: Run, recorded: string | undefined): DiskState {
  return { recorded, drive: (recorded === undefined ? undefined : run.drives.get(recorded)) ?? { is: 'unread' } }
}

function doubtOf({ memory, machine, world }: Run, { isComplete }: { readonly isComplete: boolean }): Observed['doubt'] {
  const token = tokenOf(machine)
  if (token === undefined || memory.doubtSince === undefined || isComplete) return { is: 'none' }
  if (memory.emptyAt === undefined) return { is: 'unsearched' }
  return { is: 'empty', retryAfterMs: Math.ceil(memory.emptyAt + world.listGraceMs - world.clocks.monotonic()) }
}

/** When what is waited for can be done: the server's change, else that of the first drive, since drives are gone through in order. */
function pollMsOf({ memory, world, machine, server }: Run): number {
  const now = world.clocks.monotonic()
  const things = server.is === 'seen' ? [server.thing.uuid] : disksOf({ machine })
  const waits = things.flatMap((uuid) => {
    const begun = uuid === undefined ? undefined : memory.begun.get(uuid)
    return begun === undefined ? [] : [world.durations.waitMs(begun, now)]
  })
  return Math.max(1, waits[0] ?? 1_000)
}
