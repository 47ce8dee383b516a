/** What a form says to start looking as an organization. */
export type StartActing = {
  readonly organization: string
  /** Why, in words; the customer reads it. */
  readonly reason: string
  readonly ticket: string
  /** At most 60. */
  readonly minutes: number
}

export type EndActing = { readonly organization: string }

/** An operator's permission to look, as a delegation in the sense of RFC 8693: `sub` is looked at, `act` looks. */
export type ActingSessionJson = {
  readonly id: string
  readonly organizationId: string
  readonly operator: string
  readonly reason: string
  readonly ticket: string
  readonly startedAt: string
  readonly expiresAt: string
  readonly delegation: {
    readonly sub: string
    readonly act: { readonly sub: string; readonly iss: string }
    readonly scope: string
    readonly reason: string
    readonly ticket: string
    /** UNIX seconds. */
    readonly exp: number
  }
}

export type EndedActing = { readonly ended: boolean }

export type FoundOrganizations = {
  readonly data: readonly { readonly id: string; readonly name: string }[]
  /** Whether there are more than these: ask more precisely. */
  readonly more: boolean
}

export type OrganizationSearch = { readonly q: string; readonly limit: number }
export type RedirectQuery = { readonly to?: string | readonly string[] | undefined }
