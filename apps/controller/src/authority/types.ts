import type { CloudSigma, CallSeen } from '@ascribe/cloudsigma'
import type { AccountPin } from './pin.ts'
import type { AuthorityError } from './errors.ts'

/**
 * What an account may be used for. `operate`: everything, and the owner's word must stand now. `cleanup`: ending what stands there, which a
 * binding that was revoked or has expired still allows unless its `allowCleanupAfterRevoke` is false.
 */
export type Purpose = 'operate' | 'cleanup'

/** Whose account, checked now: by which binding, under which impersonator. */
export type Account = {
  readonly kind: AccountPin['kind']
  /** Of the account that everything is created in, and that every created object must belong to. */
  readonly userUUID: string
  readonly region: string
  /** Of the owner: how the cloud finds the user. Empty unless `kind` is `Owner`. */
  readonly email: string
  /** Of the binding that authorizes now; it may be another than the pinned one, of the same user. */
  readonly binding?: { readonly name: string; readonly uid: string; readonly generation: number }
  readonly impersonator?: string
}

/** The objects that say whose account it shall be, as far as they are read. Both may be objects of the cache. */
export type SelectRequest = {
  readonly namespace: string
  /** CloudSigmaCluster: spec and annotations. */
  readonly cluster: NamingObject
  /** CloudSigmaMachine (its template's words); goes before the cluster. */
  readonly machine?: NamingObject
}

/** What of an object names an owner. */
export type NamingObject = {
  readonly metadata: {
    readonly name?: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: {
    readonly region?: string
    readonly userEmail?: string
    readonly userRef?: { readonly name: string; readonly namespace?: string }
    readonly ownerBindingRef?: { readonly name: string }
  }
}

/** Whose account a machine that has no pin shall have. `pin` is to be written on it before the first mint. */
export type Selection =
  | { readonly outcome: 'selected'; readonly pin: AccountPin; readonly account: Account }
  /** Somebody must change something. `reason` is a condition's. */
  | { readonly outcome: 'refused'; readonly reason: string; readonly message: string }
  /** Look again: a cache, an outage, a Secret that cannot be read now. Never another account. */
  | { readonly outcome: 'waiting'; readonly reason: string; readonly message: string; readonly retryAfterMs: number }

/** On whose behalf a token is asked for: goes into audit records as it stands. No e-mail address. */
export type AuthorityActor = {
  /** `CloudSigmaMachine/name`. */
  readonly object: string
  readonly namespace: string
  readonly uid: string
  /** Who asked for it, where that is known (annotation `ascribe.dev/requested-by`). */
  readonly requester?: string
}

export type CloudRequest = {
  readonly pin: AccountPin
  readonly namespace: string
  readonly purpose: Purpose
  readonly actor: AuthorityActor
  /** Told of every request with the cloud's own id. */
  readonly observe?: (seen: CallSeen) => void
}

/** What a machine takes of its owner's limits. */
export type Demand = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly cpuMhz: number
  readonly memoryMib: number
  readonly drives: number
}

/** What a binding's owner agreed to pay for, and what is taken of it. `undefined`: no limit. */
export type Limit = { readonly limit: number | undefined; readonly used: number }
export type LimitsReport = { readonly servers: Limit; readonly cpuMhz: Limit; readonly memoryMib: Limit; readonly drives: Limit }

export type Authority = {
  /** Reads caches, and the Secret of a `userRef` by `get`. Never mints. Rejects only for bugs. */
  select(request: SelectRequest): Promise<Selection>
  /**
   * Whether the pinned account may be used in this namespace now. Synchronous, from caches; it is asked again before every request of
   * {@link Authority.cloudFor}, before any token cache.
   * @throws {AuthorityError} with the condition's reason
   */
  authorize(pin: AccountPin, where: { readonly namespace: string; readonly purpose: Purpose }): Account
  /**
   * A client that acts as the pinned account, and as nobody else: each of its requests is authorized, its token asserted against the pin.
   * Nothing is sent when that fails. Cheap: connections, tokens and pace are shared. Need not be disposed of.
   * @throws {AuthorityError}
   */
  cloudFor(request: CloudRequest): Promise<CloudSigma>
  /**
   * Room for one machine more, in the limits of the binding. Ask before its first create; what was admitted is counted until the machine
   * is gone. Throws nothing: `undefined` when there is room.
   */
  admit(pin: AccountPin, demand: Demand): AuthorityError | undefined
  limits(pin: AccountPin, namespace: string): LimitsReport
  /** What a failure of the identity means for conditions. `undefined` when it is none. */
  explain(thrown: unknown): Explained | undefined
  /** Whether the account works: mints, or uses what was minted. @throws what the way throws */
  verify(request: CloudRequest): Promise<void>
  /** Called when who may be impersonated has changed in a namespace (undefined: anywhere). Returns how to stop. */
  onChange(handler: (namespace: string | undefined) => void): () => void
}

/** Why an identity cannot be used, for people and conditions. */
export type Explained = {
  readonly reason: string
  /** At most 1,024 characters, printable. */
  readonly message: string
  /** `Unknown`: an outage; the condition IdentityReady is frozen. `False`: somebody must act. */
  readonly status: 'False' | 'Unknown'
  readonly retryAfterMs: number | undefined
}
