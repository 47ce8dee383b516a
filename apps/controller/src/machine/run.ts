import { OwnerMismatchError, assertOwner } from '@ascribe/cloudsigma'
import type { CloudSigma, Drive, Made, Server } from '@ascribe/cloudsigma'
import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import type { Logger } from '@ascribe/kit'
import { isKubeError } from '@ascribe/kube'
import type { ObjectKey } from '@ascribe/kube'
import type { ActVerb } from '@ascribe/usage'
import { parsePin } from '../authority/pin.ts'
import type { AccountPin } from '../authority/pin.ts'
import type { Purpose } from '../authority/types.ts'
import type { CapiCluster, CapiMachine } from './capi.ts'
import type { MachineWorld } from './deps.ts'
import type { Desired } from './desired.ts'
import { annotationOf, recordedDrives } from './marks.ts'
import type { MachineIdentity } from './marks.ts'
import type { Memory } from './memory.ts'
import { mayHaveHappened } from './trouble.ts'
import type { Known, Search, SeenDrive, SeenServer } from './types.ts'

/** Longest that one call of the cloud may take: it must end before the lead does (15 s lease, renewed every 2 s, 1 s of margin), with room for a slow API server. */
export const CALL_DEADLINE_MS = 8_000

/** One run of the reconciler for one machine: the object as it is now, and what was learnt. */
export type Run = {
  readonly world: MachineWorld
  readonly key: ObjectKey
  readonly uid: string
  readonly logger: Logger
  readonly memory: Memory
  /** The newest that the API server has given us. */
  machine: CloudSigmaMachine
  /** It is no longer there. */
  isGone: boolean
  readonly cluster: CloudSigmaCluster | undefined
  readonly capiCluster: CapiCluster | undefined
  readonly capiMachine: CapiMachine | undefined
  readonly namespaceUid: string | undefined
  /** A text: why not. */
  readonly desired: Desired | string
  server: Known<SeenServer>
  /** The same as the cloud gave it, with the instant by the wall clock that it was asked for. */
  rawServer: { readonly server: Server; readonly at: number } | undefined
  readonly drives: Map<string, Known<SeenDrive>>
  /** Of those that rest. */
  readonly rawDrives: Map<string, Drive>
  search: Search | undefined
  /** When the older of its lists was asked for. */
  searchBegunAt: number
  cloud: CloudSigma | undefined
  /** Addresses from pools, by the index of the interface. */
  readonly pooled: Map<number, PooledAddress>
}

export type PooledAddress = { readonly address: string; readonly prefix: number | undefined; readonly gateway: string | undefined }

/** The pin on the object. @throws never; `undefined` where there is none that can be read */
export function pinOf(machine: CloudSigmaMachine): AccountPin | undefined {
  const text = annotationOf(machine, ANNOTATIONS.account)
  return text === undefined ? undefined : parsePin(text)
}

export function tokenOf(machine: CloudSigmaMachine): string | undefined {
  return annotationOf(machine, ANNOTATIONS.createToken)
}

export function identityOf({ machine, namespaceUid, key }: Pick<Run, 'machine' | 'namespaceUid' | 'key'>): MachineIdentity | undefined {
  const token = tokenOf(machine)
  if (token === undefined) return undefined
  return { namespaceUid: namespaceUid ?? '', namespace: key.namespace ?? '', name: key.name, token }
}

export function isDeleting(machine: CloudSigmaMachine): boolean {
  return machine.metadata.deletionTimestamp !== undefined
}

export function purposeOf(machine: CloudSigmaMachine): Purpose {
  return isDeleting(machine) ? 'cleanup' : 'operate'
}

/** The pinned account's client. @throws {AuthorityError} and whatever minting throws */
export async function cloudOf(run: Run): Promise<{ readonly cloud: CloudSigma; readonly pin: AccountPin }> {
  const pin = pinOf(run.machine)
  if (pin === undefined) throw new TypeError('a machine without a pinned account has no cloud')
  run.cloud ??= await run.world.authority.cloudFor({
    pin,
    namespace: run.key.namespace ?? '',
    purpose: purposeOf(run.machine),
    actor: { object: `CloudSigmaMachine/${run.key.name}`, namespace: run.key.namespace ?? '', uid: run.uid },
    observe: (seen) => run.world.acts.observe(seen),
  })
  return { cloud: run.cloud, pin }
}

export type Mutation = {
  readonly verb: ActVerb
  readonly resource?: { readonly type: 'server' | 'drive'; readonly uuid: string }
  /** It makes something that could be made twice. */
  readonly makes: boolean
}

/** How a call of the cloud is told how long it has. */
export type CloudCall<Result> = (cloud: CloudSigma, options: { readonly deadlineMs: number }) => Promise<Result>

/** The one way in which a machine changes anything in the cloud: authorized, fenced, written down before and after. */
export async function mutate<Result>(run: Run, { verb, resource, makes }: Mutation, call: CloudCall<Result>): Promise<Result> {
  const { world, memory, key, uid } = run
  const { cloud, pin } = await cloudOf(run)
  let done: { readonly result: Result } | undefined
  run.search = undefined
  try {
    return await world.acts.perform(
      {
        verb,
        account: {
          kind: pin.kind,
          userUUID: pin.userUUID,
          region: pin.region,
          ...(pin.binding !== undefined && { binding: pin.binding }),
        },
        machine: { namespace: key.namespace ?? '', name: key.name, uid, ...clusterName(run) },
        ...(resource !== undefined && { resource }),
        deadlineMs: CALL_DEADLINE_MS,
      },
      async () => {
        const result = await call(cloud, { deadlineMs: CALL_DEADLINE_MS })
        done = { result }
        return result
      },
    )
  } catch (error) {
    // The cloud did it, and only the note of it failed: what was made must not be forgotten. The journal's recovery closes the intent.
    if (done !== undefined) {
      run.logger.error('an act was done, and its outcome could not be written down', { verb, error })
      return done.result
    }
    if (makes && mayHaveHappened(error)) {
      memory.doubtSince = world.clocks.monotonic()
      memory.emptyAt = undefined
    }
    throw error
  } finally {
    memory.changedAt = world.clocks.monotonic()
  }
}

function clusterName({ capiCluster }: Run): { readonly cluster?: string } {
  const name = capiCluster?.metadata.name
  return name === undefined ? {} : { cluster: name }
}

/** Asserts whose it is, and keeps what is not the owner's from ever being followed by a second. */
export async function ownedBy<Item extends { readonly uuid: string; readonly owner?: { readonly uuid: string } }>(
  run: Run,
  made: Made<Item>,
): Promise<Item> {
  const pin = pinOf(run.machine)
  try {
    return assertOwner(made, pin?.userUUID ?? '').object
  } catch (error) {
    if (!(error instanceof OwnerMismatchError)) throw error
    const { created, expected, actual } = error
    run.world.metrics.mismatched()
    run.world.events.record(run.machine, {
      type: 'Warning',
      reason: 'OwnerMismatch',
      note: `${created} was made for ${actual ?? 'nobody'} instead of the pinned owner; nothing more is made`,
      action: 'Create',
    })
    // Without the mark a restart would find nothing in the owner's account, and make another.
    run.memory.doubtSince = run.world.clocks.monotonic()
    run.memory.quarantine = JSON.stringify({ resource: created, expected, actual })
    await markQuarantine(run).catch((reason: unknown) =>
      run.logger.error('a quarantine could not be written down; it is tried again', { reason }),
    )
    throw error
  }
}

/** Puts a quarantine on the object that could not be put there when it was found out. */
export async function markQuarantine(run: Run): Promise<void> {
  const { quarantine } = run.memory
  if (quarantine === undefined || annotationOf(run.machine, ANNOTATIONS.quarantine) !== undefined) return
  await annotate(run, { [ANNOTATIONS.quarantine]: quarantine })
  run.memory.quarantine = undefined
}

/**
 * Changes annotations, provider id or finalizers of the object, only if it still is as it was read. `moved`: it was not; it has been read
 * again, so that the next plan sees it. Status and metadata have separate writers, so that a status patch of ours never is in the way.
 */
export async function patchMachine(run: Run, body: { readonly metadata?: object; readonly spec?: object }): Promise<'patched' | 'moved'> {
  const { resourceVersion, uid } = run.machine.metadata
  try {
    run.machine = await run.world.kube.patch(MACHINES, run.key, {
      patch: { type: 'merge', body: { ...body, metadata: { ...body.metadata, resourceVersion, uid } } },
      fieldManager: 'ascribe',
    })
    keepLatest(run)
    return 'patched'
  } catch (error) {
    if (isKubeError(error, 'NotFound')) {
      run.isGone = true
      return 'moved'
    }
    if (!isKubeError(error, 'Conflict')) throw error
    await readAgain(run)
    return 'moved'
  }
}

/** From the server, not from the cache. */
export async function readAgain(run: Run): Promise<void> {
  const machine = await run.world.kube.tryGet(MACHINES, run.key)
  if (machine === undefined || machine.metadata.uid !== run.uid) run.isGone = true
  else run.machine = machine
  if (!run.isGone) keepLatest(run)
}

/** Remembers what the server answered, for as long as caches may be older. */
export function keepLatest({ memory, machine, world }: Run): void {
  memory.latest = { machine, at: world.clocks.monotonic() }
}

/** What stands on an object once and for all: an object that lacks one that was seen is an older one. */
const MARKS = [ANNOTATIONS.createToken, ANNOTATIONS.account, ANNOTATIONS.server, ANNOTATIONS.quarantine] as const
/** After so long a cache that still lacks them is asked about: somebody may have taken them away. */
const LATEST_MS = 30_000

/**
 * The object to go by: that of the cache, unless it lacks what this process wrote or saw. What is made depends on what is *not* on the
 * object, so that a cache that lags by one watch event would make it twice.
 */
export async function freshen(run: Run): Promise<void> {
  const { latest } = run.memory
  if (latest === undefined || !isOlder(run.machine, latest.machine)) return
  if (run.world.clocks.monotonic() - latest.at < LATEST_MS) run.machine = latest.machine
  else await readAgain(run)
}

function isOlder(cached: CloudSigmaMachine, latest: CloudSigmaMachine): boolean {
  const drives = recordedDrives(cached)
  return (
    MARKS.some((mark) => annotationOf(latest, mark) !== undefined && annotationOf(cached, mark) === undefined) ||
    recordedDrives(latest).some((drive, disk) => drive !== undefined && drives[disk] === undefined) ||
    (latest.metadata.deletionTimestamp !== undefined && cached.metadata.deletionTimestamp === undefined)
  )
}

/** Annotations, whatever else changes meanwhile. */
async function annotate(run: Run, annotations: Readonly<Record<string, string | null>>): Promise<void> {
  for (let tries = 0; tries < PATCH_TRIES; tries += 1) {
    if ((await patchMachine(run, { metadata: { annotations } })) === 'patched' || run.isGone) return
  }
  throw new Error('Cannot write on the object: it changes all the time')
}

const PATCH_TRIES = 5

/** Recorded drives, one for each disk of the spec, and more where the object has more (a template cannot shrink, an import can have more). */
export function disksOf(run: Pick<Run, 'machine'>): readonly (string | undefined)[] {
  const recorded = recordedDrives(run.machine)
  const count = Math.max(recorded.length, run.machine.spec.disks?.length ?? 0)
  return Array.from({ length: count }, (_, disk) => recorded[disk])
}
