import type { EventId } from '@ascribe/units'
import type { UsageRecord } from './record.ts'

/*
 * What a controller writes into its journal beside usage: JSON whose first member is `kind`, which no usage record has. It goes the way of
 * usage records, and ends in the access log of the organization of the owner.
 */

/** What a controller does in a cloud account. `update_server` changes size, NICs, drives, name or meta. */
export type ActVerb =
  | 'clone_drive'
  | 'create_drive'
  | 'create_server'
  | 'update_server'
  | 'start'
  | 'stop'
  | 'shutdown'
  | 'delete_server'
  | 'delete_drive'
  | 'resize_drive'
  | 'attach_drive'
  | 'detach_drive'
  | 'tag'
  | 'adopt_server'
  | 'abandon'

/** In whose account: the owner's own, or the platform's with no owner's right. */
export type ActAccountKind = 'Owner' | 'PlatformAccount' | 'Legacy'

/**
 * How an act ended.
 * - `done`: the cloud took it.
 * - `refused`: the cloud said no, and nothing was done.
 * - `failed`: nobody can say whether it was done; a reconciler looks before it does it again.
 * - `not_sent`: it was written down, and then not sent, because the right or the lead had ended.
 * - `unknown`: the process died. Written by journal recovery.
 */
export type ActOutcome = 'done' | 'refused' | 'failed' | 'not_sent' | 'unknown'

/** An act before it is sent. Absent is absent: never an empty string. */
export type ActIntent = {
  readonly kind: 'act'
  /** UUIDv7, of the act and of its record. */
  readonly eventId: EventId
  /** UTC epoch milliseconds. */
  readonly startedAt: number
  readonly verb: ActVerb
  /** Whose it is, as of usage records: {@link ownerAuthId} or {@link platformAuthId}. */
  readonly authId: string
  readonly account: {
    readonly kind: ActAccountKind
    /** Whose account it is: a UUID of the cloud. */
    readonly userId: string
    readonly region: string
    /** Name of the owner binding. */
    readonly binding?: string
  }
  /** Who: which controller, for which object, and who asked for that. */
  readonly actor: {
    readonly controller: string
    /** `CloudSigmaMachine namespace/name`. */
    readonly object: string
    readonly objectUid: string
    readonly cluster?: string
    readonly requestedBy?: string
  }
  /** What it was done to, as far as that is known before. */
  readonly resource?: { readonly type: 'server' | 'drive'; readonly uuid: string }
}

/** An act with what became of it. */
export type ActRecord = ActIntent & {
  readonly endedAt: number
  readonly outcome: ActOutcome
  /** What was made, where `resource` could not name it. */
  readonly made?: { readonly type: 'server' | 'drive'; readonly uuid: string }
  /** HTTP status of the cloud's answer. */
  readonly status?: number
  /** A word of ours: the kind of the fault. */
  readonly fault?: string
  /** The cloud's id of the request. */
  readonly cloudRequestId?: string
  /** Tokens that were minted for the owner since his act before this one: SHA-256 of each, at most 16. */
  readonly mints?: readonly string[]
}

/** How many tokens were minted for an owner on a UTC day, by one trail. */
export type MintDay = {
  readonly kind: 'mint_day'
  readonly eventId: EventId
  /** 32 hex digits that follow from trail, owner and day: it may be told again, and counts once. */
  readonly name: string
  /** Beginning of the day. */
  readonly startedAt: number
  readonly endedAt: number
  readonly authId: string
  readonly userId: string
  readonly controller: string
  readonly minted: number
  readonly refused: number
  readonly discarded: number
  readonly regions: readonly string[]
}

/** What a machine is and in which state it was seen last: for those who look at it. No quantity is taken from it. */
export type MachineNote = {
  readonly kind: 'machine'
  readonly eventId: EventId
  /** When it was seen so. */
  readonly startedAt: number
  readonly serverId: string
  readonly name: string
  readonly namespace: string
  readonly cluster?: string
  readonly region: string
  readonly account: ActAccountKind
  readonly authId: string
  readonly userId: string
  /** `deleted`: it is gone for good. */
  readonly state: MachineState
  readonly cpuMhz: number
  readonly memoryMib: number
  /** Bytes, as digits. */
  readonly diskBytes: string
  readonly addresses: number
  /** When it was seen first. */
  readonly since: number
}

export type MachineState = 'running' | 'stopped' | 'deleted'

/**
 * A usage record whose id follows from what it is about, so that a controller which cannot know whether it wrote it down before does so again.
 * The event id of the journal is another each time, because a journal has none twice.
 */
export type StatedUsage = { readonly kind: 'usage'; readonly eventId: EventId; readonly record: UsageRecord }

/** Everything that is shipped beside plain usage records. */
export type SideRecord = ActRecord | MintDay | MachineNote | StatedUsage

/** The auth id of what lives in a user's own account in the cloud. */
export function ownerAuthId(userId: string): string {
  return `cloudsigma:${userId}`
}

/** The auth id of what a namespace has in the platform's account, by the UUID of that account. */
export function platformAuthId(userId: string, namespace: string): string {
  return `cloudsigma:${userId}/${namespace}`
}

/** What prices of machines go by: those in the owner's own account, whom the cloud bills itself, and those in the platform's are two things. */
export function machineModelOf(account: ActAccountKind): 'vm' | 'platform-vm' {
  return account === 'Owner' ? 'vm' : 'platform-vm'
}

/** Whether a payload of a journal is one of {@link SideRecord}, without reading it: writers put `kind` first. */
export function isSidePayload(payload: string): boolean {
  return payload.startsWith('{"kind":"')
}

/** What recovery writes for an act whose process died: nobody knows whether it was done. */
export function unknownAct(intent: ActIntent, at: number): ActRecord {
  return { ...intent, endedAt: Math.max(at, intent.startedAt), outcome: 'unknown' }
}
