import type { Logger } from '@ascribe/kit'
import type { BreakerState } from './breaker.ts'
import type { ClientSecretSource } from './client-secret.ts'
import type { TokenClock } from './clock.ts'
import type { ImpersonatedToken } from './impersonated-token.ts'
import type { TokenMeters } from './instruments.ts'
import type { Issuer } from './issuer.ts'
import type { Actor, AuditSink } from './mint-audit.ts'
import type { MintSteps } from './mint-steps.ts'
import type { MinterChannel } from './minter-channel.ts'
import type { Discovered } from './minter.ts'
import type { OwnerReport } from './owners.ts'
import type { RegionTable } from './region-table.ts'
import type { Transport } from './wire.ts'

/** Who shall be acted for, where, and by whose word. */
export type OwnerRequest = {
  /** The pinned user. Asserted against every token that is minted. */
  readonly ownerUuid: string
  /** How the cloud finds that user; an attribute, never the identity (H-6). */
  readonly ownerEmail: string
  readonly region: string
  /** Of the binding that allows it. Part of the key: a changed or renewed binding finds nothing in the cache (5.4). */
  readonly bindingGeneration: string | number
  /** Goes into audit records. */
  readonly actor?: Actor
}

export type TokenRequest = OwnerRequest & {
  /** Stops waiting. Minting goes on while somebody else waits for the same token. */
  readonly signal?: AbortSignal
}

export type DiscoverRequest = {
  readonly ownerEmail: string
  readonly region: string
  readonly actor?: Actor
  readonly signal?: AbortSignal
}

/** What every source takes, whoever mints. */
export type SourceOptions = {
  readonly regions: RegionTable
  /** Awaited before a token is handed out: no record, no token. */
  readonly audit: AuditSink
  /**
   * Asked before the cache, each time, whatever lies in it; throws to refuse. Synchronous: it decides from what the caller already
   * knows. Without it, whoever can call this source is believed.
   */
  readonly authorize?: (request: OwnerRequest) => void
  readonly meters?: TokenMeters
  readonly logger?: Logger
  readonly clock?: TokenClock
  /** In [0, 1). Default Math.random: it spreads instants, nothing depends on its secrecy. */
  readonly random?: () => number
  readonly limits?: TokenLimits
}

export type TokenSourceOptions = SourceOptions & {
  readonly issuer: Issuer
  readonly clientId: string
  readonly secret: ClientSecretSource
  /** Resource server of the RPT. Default `service_provider_api`. */
  readonly audience?: string
  /** Default: one with keep-alive of its own, closed with the source. */
  readonly transport?: Transport
  /** Another way to impersonate. Default: the three steps on the wire. */
  readonly steps?: MintSteps
}

/** Of a source that has neither secret nor service tokens: another process mints (H-24). */
export type RemoteSourceOptions = SourceOptions & {
  /** The caller's to close, after the source. */
  readonly channel: MinterChannel
  /** Name of the CloudSigmaImpersonator whose regions these are; `environment` where there is none. */
  readonly impersonator: string
}

export type TokenLimits = {
  /** Tokens in the cache, and owners that are remembered. Default 10,000. */
  readonly entriesMax?: number
  /** Estimated memory of the cache. Default 64 MiB. Up to a quarter more holds tokens that left it while they were good, to zero them at their end. */
  readonly bytesMax?: number
  /** Impersonations under way at once. Default 4: a cold start must not flood the cloud. */
  readonly mintsMax?: number
  /** Owners that wait for their turn to be minted for. Default 1,000. */
  readonly waitingMax?: number
  /** How long an owner waits for its turn, at most. Default 2 min: a cold start takes its time; callers have signals of their own. */
  readonly waitingMs?: number
  /** For all the steps of one token together, from its turn on. Default 25 s. */
  readonly mintTimeoutMs?: number
  /** Between two looks for what has ended. Default 10 s; 0 for none, then call `sweep()`. */
  readonly sweepMs?: number
  /** The claim of an impersonated JWT that is the owner's UUID; `none` leaves the assertion to the profile alone. Default `sub`. */
  readonly subjectClaim?: 'sub' | 'none'
  /** Makes owner hashes comparable between processes. Default: random, of this process. */
  readonly ownerHashKey?: Buffer
}

/** What asks for a header before each request: the shape that `@ascribe/cloudsigma` takes. */
export type Authenticator = {
  authorize(origin: string, signal?: AbortSignal): Promise<{ readonly header: string; readonly token: ImpersonatedToken }>
  /** The API answered 401: this very token is dropped, a newer one is not. */
  rejected(token: ImpersonatedToken): void
}

/** What the source knows, for people: no token, no secret, no e-mail address. */
export type TokenSourceReport = {
  readonly entries: number
  readonly sizeBytes: number
  readonly flights: number
  readonly waiters: number
  readonly breakers: readonly { readonly host: string; readonly step: string; readonly state: BreakerState; readonly restMs: number }[]
  readonly owners: readonly (OwnerReport & { readonly tokens: readonly TokenReport[] })[]
}

export type TokenReport = {
  readonly region: string
  readonly bindingGeneration: string | number
  readonly secondsToExpiry: number
  readonly generation: number
}

/** Hands out tokens that act as one user each. */
export type TokenSource = Disposable & {
  /**
   * A token that is good for at least the way to the server. From the cache where it can be; otherwise minted once for all who ask.
   *
   * @throws {ImpersonationError} of which `retryable`, `reason` and `retryAfterMs` say what to do
   */
  token(request: TokenRequest): Promise<ImpersonatedToken>
  /** Drops this token if it is still the one in its place. Call it on a 401 of the API, never on a 403. Says whether it did. */
  invalidate(token: ImpersonatedToken): boolean
  /** Drops all tokens of an owner and ends what is being minted for it: its binding is gone. */
  forget(ownerUuid: string): void
  /** Who stands behind an address, for those who hold the client secret: nothing is cached, no token is handed out, one audit record. */
  discover(request: DiscoverRequest): Promise<Discovered>
  authenticator(owner: OwnerRequest): Authenticator
  inspect(): TokenSourceReport
  /** Drops what has ended and sets gauges. Runs by itself every `sweepMs`. */
  sweep(): void
}
