import type { HostPort } from '@ascribe/service'
import type { TeleportApp } from './app.ts'
import type { CookieForm } from './cookies.ts'
import type { TeleportFaults } from './faults.ts'
import type { Operator } from './operators.ts'
import type { TeleportEvent } from './recording.ts'

export type TeleportOptions = Partial<HostPort> & {
  /** Name of the cluster, `iss` of assertions, and host of the proxy's own pages. Default `teleport.localhost`. */
  readonly clusterName?: string
  readonly apps?: readonly TeleportApp[]
  readonly operators?: readonly Operator[]
  /** How long a session lasts; default 8 h. */
  readonly sessionTtlMs?: number
  /** How long a piece of a recording lasts, and the assertion made for it; default 5 min, as Teleport's. */
  readonly chunkMs?: number
  /** `new`: preflights of an app with `cors` are answered. `old`: as before, no preflight is. Default `new`. */
  readonly preflights?: 'old' | 'new'
  /** Sends the assertion as `Cf-Access-Token` too, as older servers do. Default false. */
  readonly legacyHeader?: boolean
  /** Default `secure`. */
  readonly cookies?: CookieForm
  readonly faults?: TeleportFaults
  /** Epoch milliseconds. Default: the machine's clock. */
  readonly clock?: () => number
}

/** A request as it reached the proxy, and what became of it. */
export type SeenAtTeleport = {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly origin: string | undefined
  outcome: 'forwarded' | 'launched' | 'answered' | 'unknown-host' | 'failed'
}

/** What a browser holds that has signed in to an app. */
export type SignedIn = { readonly sid: string; readonly cookie: string; readonly expiresAt: number }

export type SandboxTeleport = AsyncDisposable & {
  /** `http://teleport.localhost:PORT`: sign-in, launcher. */
  readonly url: string
  /** Under an address, so that no name has to be resolved. */
  readonly jwksUrl: string
  /** `iss` of assertions: the cluster's name, not an address. */
  readonly issuer: string
  /** Origin of an app as browsers reach it. @throws {InputError} */
  appUrl(name: string): string
  /** Adds an app, or replaces the one of that name. */
  addApp(app: TeleportApp): void
  /** Signs an operator in to an app without a browser. @throws {InputError} for one that does not exist */
  signIn(operator: string, options: { readonly app: string; readonly ttlMs?: number }): SignedIn
  /** An assertion on its own, for requests that bypass the proxy. @throws {InputError} */
  assertion(operator: string, options: { readonly app: string; readonly ttlMs?: number; readonly faults?: TeleportFaults }): string
  /** Ends sessions with apps (and with the proxy, unless one is named). Gives how many. */
  endSessions(which?: { readonly id?: string; readonly operator?: string }): number
  /** Replaces all faults. */
  setFaults(faults: TeleportFaults): void
  /** A new key signs; both are listed until {@link dropOldKeys}. */
  rotateKeys(): Promise<void>
  dropOldKeys(): void
  /** The main audit log: `app.session.start`, `.chunk`, `.end`. */
  readonly events: readonly TeleportEvent[]
  /** The requests in a piece of a session: what `tsh play --format json` prints for a `session_chunk_id`. */
  recording(chunkId: string): readonly TeleportEvent[] | undefined
  /** Requests, oldest first, the last 10,000: preflights are counted here. */
  readonly seen: readonly SeenAtTeleport[]
  /** Sessions with apps that have not been ended. */
  readonly sessions: readonly { readonly sid: string; readonly user: string; readonly app: string; readonly expiresAt: number }[]
}
