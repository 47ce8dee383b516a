import type { CallSeen, Server } from '@ascribe/cloudsigma'
import type { ActAccountKind, ActVerb } from '@ascribe/usage'

/** The lead, as acts ask for it. @throws when a request of `deadlineMs` could outlive it */
export type ActFence = { check(deadlineMs: number): void }

/** The object for which something is done. */
export type MachineRef = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** Name of the Cluster. */
  readonly cluster?: string
  /** Default CloudSigmaMachine. */
  readonly kind?: string
}

/** As much of an account as is written down of it. */
export type ActAccount = {
  readonly kind: ActAccountKind
  /** Whose account it is. */
  readonly userUUID: string
  readonly region: string
  /** Name of the owner binding. */
  readonly binding?: string
}

/** One call that changes something in the cloud. */
export type Act = {
  readonly verb: ActVerb
  readonly account: ActAccount
  readonly machine: MachineRef
  /** What it is done to. Of `create_server` and `clone_drive`: nothing yet, or the source. */
  readonly resource?: { readonly type: 'server' | 'drive'; readonly uuid: string }
  /** How long the call may take, milliseconds: it must end before the lead does. */
  readonly deadlineMs: number
  /** Who asked, where somebody else than the asker vouches for it (docs/security.md). Absent: nobody is named. */
  readonly requestedBy?: string
}

export type Acts = {
  /**
   * Fence, intent durable in the journal, fence, call, outcome durable. What `call` gives or throws comes back as it is. An answer with
   * `object.uuid` and `requestId`, as `Made` has them, is written down by itself.
   * @throws {ActNotRecordedError} the journal does not take it: nothing was sent
   */
  perform<Result>(act: Act, call: () => Promise<Result>): Promise<Result>
  /** For whoever makes the client: told of every request, it puts the cloud's id of it into the act that is under way. */
  observe(call: CallSeen): void
}

/** What was seen of a machine's server. */
export type Sight =
  | {
      readonly server: Server
      /** Bytes of each drive of the server, by its uuid: as the cloud says, or as the spec asked for. What is missing counts nothing. */
      readonly driveBytes: ReadonlyMap<string, number>
    }
  /** The cloud has said 404, or nothing was ever made (then `serverId` is missing and there is nothing to meter). */
  | { readonly gone: true }

/** One line of the cloud's own log of the account. */
export type CloudHistory = (since: number) => Promise<readonly { readonly uuid: string; readonly action?: string; readonly at?: string }[]>

export type Observation = {
  readonly machine: MachineRef
  /** `metadata.annotations['ascribe.dev/metered']` of the object as it stands in the API server, not as it is wanted. */
  readonly annotation: string | undefined
  readonly account: ActAccount
  readonly sight: Sight
  /** When the cloud's answer was asked for: what was true then is counted up to then. UTC epoch milliseconds. */
  readonly at: number
  /** Asked only where a change fell into a time that nobody watched. Absent: such time is marked `estimated`. */
  readonly history?: CloudHistory
}

/**
 * What to do next.
 * - `annotation`: put it on the object, *only if the object still is as it was read* (resourceVersion in the patch); then call again with the
 *   object as it then is. Until that has succeeded nothing is in the journal.
 * - `isSettled`: everything up to `at` is durable. Of a sight that is `gone`: the finalizer may go only when this is true.
 */
export type Metered = { readonly annotation?: string; readonly isSettled: boolean }

export type Lives = {
  /** Call at each observation, after the server's uuid is on the object, and before the finalizer goes. Cheap when nothing is due. */
  observe(observation: Observation): Promise<Metered>
}
