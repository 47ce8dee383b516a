import type { KeyScope, UserRole } from '../route.ts'

/** Where a sign-in begins. */
export type LoginQuery = {
  /** A path of ours to go back to. Default: the console. */
  readonly returnTo?: string | undefined
  /** The organization to look at, of those that one belongs to. */
  readonly organization?: string | undefined
}

/** What an identity provider sends a browser back with (RFC 6749 section 4.1.2); it may add more. */
export type LoginCallbackQuery = Readonly<Record<string, string | readonly string[]>>

/** Where to go to sign out of the identity provider as well. */
export type LoggedOut = { readonly endSessionUrl?: string | undefined }

export type BackchannelLogout = { readonly logout_token: string }

export type MyOrganization = {
  readonly id: string
  readonly name: string
  /** What one may do there. */
  readonly role: UserRole
}

/** Who asks, and for whom. */
export type Me = {
  readonly kind: 'user' | 'key'
  /** A user's id at the identity provider; a key's auth id. */
  readonly id: string
  readonly name?: string | undefined
  readonly email?: string | undefined
  /** Of a key. */
  readonly scopes?: readonly KeyScope[] | undefined
  /** The one that is looked at; absent while it has to be chosen. */
  readonly organizationId?: string | undefined
  /** What a user may do there. */
  readonly role?: UserRole | undefined
  /** Those to choose from, by name. */
  readonly organizations: readonly MyOrganization[]
  /** How this is known. */
  readonly via: 'bearer' | 'cookie' | 'api_key'
  /** When a session ends, however busy. */
  readonly endsAt?: string | undefined
}

export type ChooseOrganization = { readonly organization: string }
