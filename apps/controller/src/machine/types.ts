import type { AccountPin } from '../authority/pin.ts'

/** Something in the cloud, as far as this run of the reconciler knows it. Only a 404 that the API itself said is `gone`. */
export type Known<Thing> =
  | { readonly is: 'unread' }
  | { readonly is: 'gone' }
  /** 403: whoever owns it now, this account may not look at it. Never "gone". */
  | { readonly is: 'barred'; readonly message: string }
  | { readonly is: 'seen'; readonly thing: Thing }

/** A server, as much of it as decides anything. */
export type SeenServer = {
  readonly uuid: string
  readonly status: string
  /** Whose it is, by the cloud. Missing: nobody's, and so not ours. */
  readonly owner: string | undefined
  readonly drives: readonly string[]
  /** It carries this machine's create-token. */
  readonly isMarked: boolean
  /** Its proof is the HMAC that only we can make for this namespace, machine and token (H-9). */
  readonly isProven: boolean
  /** Bootstrap data still stands in its meta. */
  readonly hasBootstrapData: boolean
  /** Never left `stopped`, as far as the cloud says. */
  readonly isIdle: boolean
}

/** A drive, likewise. */
export type SeenDrive = {
  readonly uuid: string
  readonly status: string
  readonly owner: string | undefined
  readonly mountedOn: readonly string[]
  /**
   * Which of `spec.disks` it was made for, by its *name*: it bears the create-token from the clone on until it is stamped. A copy that
   * somebody makes of a machine's drive later has the token in its meta at most, and is theirs (ADR 0081).
   */
  readonly disk: number | undefined
  /** Renamed, and the token in its meta. */
  readonly isStamped: boolean
}

/** A list of everything in the account that carries the token. */
export type Search = {
  readonly servers: readonly SeenServer[]
  readonly drives: readonly SeenDrive[]
}

/** One of `spec.disks`. */
export type DiskState = {
  /** The uuid on the object. */
  readonly recorded: string | undefined
  readonly drive: Known<SeenDrive>
}

/** What keeps a machine from being worked on: a condition's reason and what to do about it. */
export type Hold = {
  readonly reason: string
  readonly message: string
  /** Look again after so long. Missing: only a change of an object helps, and brings us back. */
  readonly retryAfterMs?: number | undefined
}

/** What stands on the object and around it. */
export type MachineFacts = {
  readonly isDeleting: boolean
  readonly hasFinalizer: boolean
  /** The create-token on the object. */
  readonly token: string | undefined
  /** The pinned account; `unreadable`: there is an annotation, and it says nothing that can be used. */
  readonly pin: AccountPin | 'unreadable' | undefined
  /** The server's uuid on the object (annotation; without a token also `spec.providerID`, else status). */
  readonly server: string | undefined
  /** Another server than the recorded one, or one where none is recorded, stands in `spec.providerID` or status: somebody's word, not ours. */
  readonly claimed: string | undefined
  /** The server's uuid stands in the annotation and in `spec.providerID`. */
  readonly isServerRecorded: boolean
  /** What this process made and has not put on the object yet: nothing else happens before that. */
  readonly made: Extract<Step, { readonly do: 'record' }> | undefined
  /** Something was made for somebody else: its id. Nothing more is made. */
  readonly quarantined: string | undefined
  readonly isAbandoned: boolean
  readonly isProvisioned: boolean
  /** Core has seen the Node: bootstrap data has done its work. */
  readonly hasJoined: boolean
}

/** All that a decision is made of. No clock, no call: the same always gives the same {@link Step}. */
export type Observed = {
  readonly machine: MachineFacts
  /** Paused, or managed by somebody else: nothing at all is done, deletes included (C-7). */
  readonly pause: Hold | undefined
  /** A gate of C-34 that is closed: no create. Never keeps a delete (C-34). */
  readonly gate: Hold | undefined
  /** The spec cannot be made into a server. */
  readonly invalid: Hold | undefined
  /** Whose account, for a machine without a pin. */
  readonly selection: { readonly is: 'pin' } | { readonly is: 'hold'; readonly hold: Hold } | undefined
  /** The pinned account may not be used now (for what the machine needs: to operate it, or to clean up). */
  readonly refusal: Hold | undefined
  /** No room in the owner's limits. Only asked before a create. */
  readonly quota: Hold | undefined
  readonly server: Known<SeenServer>
  readonly disks: readonly DiskState[]
  /** Addresses from a pool that the interfaces wait for. */
  readonly addresses: Hold | undefined
  /**
   * Whether something may stand in the cloud that is not on the object.
   * - `none`: no. This process wrote the token, and knows how every create with it ended; or a search was conclusive.
   * - `unsearched`: perhaps; nobody has looked since.
   * - `empty`: one list had nothing; a list after the grace decides.
   */
  readonly doubt: { readonly is: 'none' } | { readonly is: 'unsearched' } | { readonly is: 'empty'; readonly retryAfterMs: number }
  /** The newest list, if it is new enough for what it is asked: after the last create or delete of this machine. */
  readonly search: Search | undefined
  /** A look for second ones is due. */
  readonly isSweepDue: boolean
  /** How long to wait before looking again at something that takes its time (clone, start, stop). */
  readonly pollMs: number
}

/** The next thing to do. `hold` and `rest` end a run; all others do one thing, after which is observed and planned again. */
export type Step =
  | ({ readonly do: 'hold' } & Hold)
  /** All is as it should be. */
  | { readonly do: 'rest' }
  /** Nothing of ours is left to do on the object. */
  | { readonly do: 'ignore' }
  /** Finalizer, create-token and account, in one patch. */
  | { readonly do: 'pin' }
  | { readonly do: 'read-server'; readonly server: string }
  | { readonly do: 'read-drive'; readonly drive: string }
  /** Take a list of everything with the token. */
  | { readonly do: 'search' }
  /** Put ids that were found on the object. */
  | { readonly do: 'record'; readonly server?: string; readonly drives?: readonly { readonly disk: number; readonly drive: string }[] }
  | { readonly do: 'clone'; readonly disk: number }
  | { readonly do: 'stamp'; readonly disk: number; readonly drive: string }
  | { readonly do: 'create-server' }
  | { readonly do: 'start'; readonly server: string; readonly isRestart: boolean }
  | { readonly do: 'strip-bootstrap'; readonly server: string }
  | { readonly do: 'stop'; readonly server: string }
  /** `isSecond`: made by mistake, never started, not the recorded one. */
  | { readonly do: 'delete-server'; readonly server: string; readonly isSecond: boolean }
  | { readonly do: 'delete-drive'; readonly drive: string; readonly isSecond: boolean }
  /** Nothing stands any more: last metering, claims of addresses, finalizer. */
  | { readonly do: 'release' }
  /** A person decided, another agreed: orphan record, finalizer. */
  | { readonly do: 'abandon' }
