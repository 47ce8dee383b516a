import type { CloudSigmaMachine, Condition, MachineStatus } from '@ascribe/kinds'
import { addressesOf, keptAddresses } from './addresses.ts'
import { recordedServer } from './marks.ts'
import { isDeleting, pinOf } from './run.ts'
import type { Run } from './run.ts'
import { sanitize } from './trouble.ts'
import type { Trouble } from './trouble.ts'
import type { Hold, Observed } from './types.ts'

/** How a run ended. */
export type Ending = {
  /** `undefined`: all is as it should be. */
  readonly hold: Hold | undefined
  readonly trouble: Trouble | undefined
  readonly observed: Observed
}

type Word = Pick<Condition, 'type' | 'status'> & { readonly reason: string; readonly message?: string }

/** Reasons that are about whose account it is, and not about the server. */
const IDENTITY: ReadonlySet<string> = new Set([
  'OwnerNotAuthorized',
  'OwnerNotFound',
  'OwnerSuspended',
  'RegionNotAllowed',
  'ServiceAccountRejected',
  'ImpersonationForbidden',
  'OAuthUnavailable',
  'WaitingForOwner',
])

/**
 * What the status says after a run. While the identity fails, and while the cloud or Kubernetes cannot be reached, nothing new is known of
 * a server that ran: what was said of it stays, so that no MachineHealthCheck replaces machines because OAuth is away (5.7, C-38).
 */
export function statusOf(run: Run, ending: Ending, now: number): MachineStatus {
  const { machine } = run
  const before = machine.status ?? {}
  const pin = pinOf(machine)
  const server = recordedServer(machine)
  const isRunning = run.server.is === 'seen' && run.server.thing.status === 'running' && ending.observed.machine.isServerRecorded
  const isProvisioned = before.initialization?.provisioned === true || before.ready === true || (isRunning && isOwn(ending))
  const addresses = run.rawServer === undefined ? before.addresses : keptAddresses(machine, addressesOf(run.rawServer.server))
  const state = run.server.is === 'seen' ? run.server.thing.status : run.server.is === 'gone' ? 'gone' : before.instanceState
  return {
    ...before,
    ...(isProvisioned && { ready: true, initialization: { ...before.initialization, provisioned: true } }),
    // The region is the failure domain that a server is in, whatever was asked for (C-33).
    ...(server !== undefined && pin !== undefined && { failureDomain: pin.region }),
    ...(server !== undefined && { instanceID: server }),
    ...(state !== undefined && server !== undefined && { instanceState: state }),
    ...(addresses !== undefined && addresses.length > 0 && { addresses }),
    ...(pin !== undefined && {
      account: { kind: pin.kind, userUUID: pin.userUUID, region: pin.region, ...(pin.binding !== undefined && { binding: pin.binding }) },
    }),
    conditions: mergeConditions(before.conditions ?? [], wordsOf(run, ending), { now, generation: machine.metadata.generation }),
    ...(machine.metadata.generation !== undefined && { observedGeneration: machine.metadata.generation }),
  }
}

function isOwn({ observed: { machine, server } }: Ending): boolean {
  return server.is === 'seen' && typeof machine.pin === 'object' && server.thing.owner === machine.pin.userUUID
}

function wordsOf(run: Run, ending: Ending): readonly Word[] {
  const { machine } = run
  const hold = holdOf(run, ending)
  const pin = pinOf(machine)
  const identity = identityWord(ending)
  const server = serverWord(run, ending, hold)
  const words: Word[] = [
    pausedWord(ending),
    identity,
    server,
    ...(pin !== undefined && pin.kind !== 'Owner'
      ? [
          {
            type: 'UsingPlatformAccount',
            status: 'True' as const,
            reason: pin.kind,
            message: 'The server stands in the platform’s account: an administrator chose that before it was made',
          },
        ]
      : []),
    deletingWord(machine, hold),
  ]
  return [readyWord(machine, { hold, server, identity, isPaused: ending.observed.pause !== undefined }), ...words]
}

/** The hold or trouble, as one; with how far a clone is. */
function holdOf(run: Run, { hold, trouble }: Ending): Hold | undefined {
  const said = hold ?? (trouble === undefined ? undefined : { reason: trouble.reason, message: trouble.message })
  if (said === undefined) return undefined
  const progress = said.reason === 'WaitingForDrive' && run.memory.progress !== undefined ? `, ${run.memory.progress} done` : ''
  return { reason: said.reason, message: sanitize(`${said.message}${progress}`) }
}

function pausedWord({ observed: { pause } }: Ending): Word {
  return pause === undefined
    ? { type: 'Paused', status: 'False', reason: 'NotPaused' }
    : { type: 'Paused', status: 'True', reason: 'Paused', message: pause.message }
}

function identityWord({ hold, trouble, observed }: Ending): Word {
  if (trouble?.identity !== undefined) {
    const { status, reason, message } = trouble.identity
    return { type: 'IdentityReady', status, reason, message }
  }
  const refused = observed.refusal ?? (hold !== undefined && IDENTITY.has(hold.reason) ? hold : undefined)
  if (refused !== undefined)
    return {
      type: 'IdentityReady',
      status: refused.reason === 'OAuthUnavailable' ? 'Unknown' : 'False',
      reason: refused.reason,
      message: refused.message,
    }
  if (typeof observed.machine.pin !== 'object')
    return { type: 'IdentityReady', status: 'Unknown', reason: 'WaitingForOwner', message: 'No account has been pinned yet' }
  return { type: 'IdentityReady', status: 'True', reason: 'Pinned' }
}

/** What is known of the server; `undefined` status kept where this run could not look. */
function serverWord(run: Run, { observed, trouble }: Ending, hold: Hold | undefined): Word {
  const before = run.machine.status?.conditions?.find(({ type }) => type === 'ServerReady')
  const isBlind =
    observed.server.is === 'unread' && (observed.refusal !== undefined || trouble !== undefined || observed.pause !== undefined)
  if (isBlind && before?.reason !== undefined)
    return { type: 'ServerReady', status: before.status, reason: before.reason, ...messageOf(before) }
  if (hold === undefined && observed.server.is === 'seen' && observed.server.thing.status === 'running')
    return { type: 'ServerReady', status: 'True', reason: 'Running' }
  // Something about a server that runs went wrong afterwards (the strip of bootstrap data, metering): it still runs.
  if (isRunningNow(observed) && trouble !== undefined) return { type: 'ServerReady', status: 'True', reason: 'Running' }
  return {
    type: 'ServerReady',
    status: 'False',
    reason: hold?.reason ?? 'WaitingForServer',
    message: hold?.message ?? 'The server does not run',
  }
}

function isRunningNow({ server, machine }: Observed): boolean {
  return server.is === 'seen' && server.thing.status === 'running' && machine.isServerRecorded && !machine.isDeleting
}

function messageOf({ message }: Condition): { readonly message?: string } {
  return message === undefined ? {} : { message }
}

function deletingWord(machine: CloudSigmaMachine, hold: Hold | undefined): Word {
  if (!isDeleting(machine)) return { type: 'Deleting', status: 'False', reason: 'NotDeleting' }
  return { type: 'Deleting', status: 'True', reason: hold?.reason ?? 'Deleting', ...(hold !== undefined && { message: hold.message }) }
}

type ReadyParts = { readonly hold: Hold | undefined; readonly server: Word; readonly identity: Word; readonly isPaused: boolean }

/** The summary that Cluster API mirrors (C-6): of deletion, then of the server, then of what it waits for. */
function readyWord(machine: CloudSigmaMachine, { hold, server, identity }: ReadyParts): Word {
  if (isDeleting(machine))
    return { type: 'Ready', status: 'False', reason: hold?.reason ?? 'Deleting', message: hold?.message ?? 'The server is being deleted' }
  if (server.status === 'True') return { type: 'Ready', status: 'True', reason: 'Running' }
  const isIdentity = identity.status !== 'True' && machine.status?.initialization?.provisioned !== true
  const { reason, message } = isIdentity && hold === undefined ? identity : server
  return {
    type: 'Ready',
    status: server.status,
    reason: hold?.reason ?? reason,
    ...((hold?.message ?? message) !== undefined && { message: hold?.message ?? message ?? '' }),
  }
}

/** metav1 conditions: the time of a transition is that of a change of status; types that we do not know stay. */
export function mergeConditions(
  before: readonly Condition[],
  words: readonly Word[],
  { now, generation }: { readonly now: number; readonly generation: number | undefined },
): readonly Condition[] {
  const kept = before.filter(({ type }) => !words.some((word) => word.type === type) && !(type === 'UsingPlatformAccount'))
  const merged = words.map((word) => {
    const old = before.find(({ type }) => type === word.type)
    const lastTransitionTime = old?.status === word.status ? old.lastTransitionTime : new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z')
    return {
      type: word.type,
      status: word.status,
      reason: word.reason,
      // metav1 wants the field, and takes an empty one.
      message: sanitize(word.message ?? ''),
      lastTransitionTime,
      ...(generation !== undefined && { observedGeneration: generation }),
    }
  })
  return [...merged, ...kept]
}
