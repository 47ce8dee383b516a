import type { HostPort } from '@ascribe/service'
import type { KeyRing } from '../jwt/key-ring.ts'
import type { IssuerClient, IssuerUser } from './people.ts'
import type { IssuerSession, IssuerSessions } from './sessions.ts'
import type { TokenFaults } from './tokens.ts'

export type IssuerOptions = Partial<HostPort> & {
  readonly users?: readonly IssuerUser[]
  readonly clients?: readonly IssuerClient[]
  /** `aud` of access tokens; default `ascribe`. */
  readonly audience?: string
  /** Seconds that tokens live; default 300. */
  readonly accessTtlS?: number
  /** Epoch milliseconds. Default: the machine's clock. */
  readonly clock?: () => number
}

export type UserTokenOptions = { readonly ttlS?: number; readonly audience?: string; readonly faults?: TokenFaults }

export type SandboxIssuer = AsyncDisposable & IssuerControls

export type IssuerControls = {
  /** `http://127.0.0.1:PORT`: `iss` of tokens, and where everything is. */
  readonly issuer: string
  readonly jwksUrl: string
  /** `aud` of access tokens. */
  readonly audience: string
  /** Says whose a user is; new tokens have it. @throws {InputError} for a user that does not exist */
  setOrganizations(username: string, organizations: readonly string[]): void
  /** Replaces a client of that id, or adds it. */
  putClient(client: IssuerClient): void
  /** An access token of a user without a browser: what a program of theirs would hold. @throws {InputError} */
  userToken(username: string, options?: UserTokenOptions): string
  /** A new key signs; both are listed until {@link dropOldKeys}. */
  rotateKeys(): Promise<void>
  dropOldKeys(): void
  /** Ends a user's sessions, as an administrator would: clients are told. */
  endSessions(username: string): Promise<void>
}

/** What the endpoints share. */
export type IssuerContext = {
  readonly issuer: string
  readonly audience: string
  readonly accessTtlS: number
  readonly users: readonly IssuerUser[]
  readonly clients: IssuerClient[]
  readonly keys: KeyRing
  readonly sessions: IssuerSessions
  readonly now: () => number
  /** Ends a session and tells its clients. */
  end(session: IssuerSession): Promise<void>
}
