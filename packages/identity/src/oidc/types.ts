import type { Clock } from '@ascribe/kit'
import type { ClaimMapping, Principal } from '../jwt/bearer.ts'
import type { IssuerMetadata } from '../jwt/discovery.ts'
import type { KeySet } from '../jwt/key-set.ts'
import type { JwtRefusal } from '../jwt/verify-jwt.ts'
import type { Fetch } from '../outbound-fetch.ts'

export type OidcClientOptions = ClaimMapping & {
  readonly issuer: string
  readonly metadata: () => Promise<IssuerMetadata>
  readonly keys: KeySet
  readonly clientId: string
  /** Absent: a public client, which PKCE alone protects. Asked for each time, so that a file may be changed. */
  readonly clientSecret?: () => Promise<string>
  /** Default `openid profile email`. */
  readonly scopes?: string
  readonly clock?: Clock
  readonly fetch?: Fetch
}

/** What is secret of one sign-in: made by us, kept by the browser in a sealed cookie, and gone afterwards. */
export type LoginSecrets = { readonly state: string; readonly nonce: string; readonly codeVerifier: string }

/** Somebody for whom an issuer has vouched. */
export type SignedIn = {
  readonly principal: Principal
  /** The issuer's own session (`sid`), which its sign-out names. */
  readonly issuerSession?: string
  /** For signing out there. */
  readonly idToken: string
  readonly refreshToken?: string
  /** Until when what was said holds, epoch milliseconds. */
  readonly expiresAt: number
}

export type LoginOutcome = { readonly kind: 'signed_in'; readonly signedIn: SignedIn } | JwtRefusal | LoginDenied
/** The issuer says no; `error` is its word (RFC 6749 section 4.1.2.1), for people and the log. */
export type LoginDenied = { readonly kind: 'denied'; readonly error: string }

export type RefreshOutcome =
  | { readonly kind: 'refreshed'; readonly signedIn: SignedIn }
  /** The issuer says that it is over: signed out there, switched off, or the token was used before. */
  | { readonly kind: 'ended'; readonly reason: string }

export type RefreshableSignIn = SignedIn & { readonly refreshToken: string }

export type LogoutOutcome = { readonly kind: 'logout'; readonly subject?: string; readonly issuerSession?: string } | JwtRefusal

export type OidcClient = {
  authorizationUrl(secrets: LoginSecrets, redirectUri: string): Promise<URL>
  /** Turns a callback into a person. @throws {IssuerError} when the issuer cannot be asked */
  exchange(callback: URLSearchParams, options: { readonly secrets: LoginSecrets; readonly redirectUri: string }): Promise<LoginOutcome>
  /** @throws {IssuerError} when the issuer cannot be asked */
  refresh(before: RefreshableSignIn): Promise<RefreshOutcome>
  /** Where a browser signs out of the issuer too; `undefined`: it has no such place. */
  endSessionUrl(idToken: string, returnTo: string): Promise<URL | undefined>
  /** Reads a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6). */
  readLogout(token: string): Promise<LogoutOutcome>
}
