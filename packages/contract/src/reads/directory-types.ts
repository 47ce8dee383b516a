import type { DecimalText } from '../types.ts'

export type OrganizationJson = {
  readonly id: string
  readonly name: string
  readonly currency: string
  readonly plan: 'capacity' | 'evaluation' | 'on-demand'
  readonly blocked: boolean
  readonly trialExpiresAt?: string | undefined
  readonly parentId?: string | undefined
  /** Those that stand directly under it now. */
  readonly children: readonly { readonly id: string; readonly name: string; readonly currency: string }[]
}

export type ListQuery = { readonly limit: number; readonly cursor?: string | undefined }

export type ApiKeyJson = {
  /** What its usage is attributed to: the key of the dimension `apiKey`. */
  readonly id: string
  /** How the key that people hold begins; never more of it. */
  readonly publicId: string
  readonly name?: string | undefined
  readonly scopes: readonly string[]
  readonly user?: string | undefined
  readonly group?: string | undefined
  readonly state: 'active' | 'expired' | 'revoked'
  readonly createdAt: string
  readonly expiresAt?: string | undefined
  readonly revokedAt?: string | undefined
  /** Admission of its newest request that is rated. */
  readonly lastUsedAt?: string | undefined
  /** Hourly charges of this month, in the organization's currency. */
  readonly spentThisMonth: DecimalText
}
export type ApiKeysPage = { readonly currency: string; readonly data: readonly ApiKeyJson[]; readonly nextCursor?: string | undefined }

export type MemberJson = {
  readonly id: string
  readonly name?: string | undefined
  readonly email?: string | undefined
  readonly groups: readonly string[]
}
export type MembersPage = { readonly data: readonly MemberJson[]; readonly nextCursor?: string | undefined }
export type GroupJson = { readonly id: string; readonly name?: string | undefined; readonly members: number }
export type GroupsPage = { readonly data: readonly GroupJson[]; readonly nextCursor?: string | undefined }

export type ResourcesQuery = ListQuery & {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly kind?: 'vm' | undefined
}
export type ResourceJson = {
  readonly id: string
  readonly kind: 'vm' | 'other'
  readonly type?: string | undefined
  readonly name?: string | undefined
  readonly region: string
  /** In whose account a virtual machine lives. */
  readonly owners: readonly string[]
  readonly firstUsedOn?: string | undefined
  readonly lastUsedOn?: string | undefined
  /** Hours of the window in which a virtual machine used anything. */
  readonly hours?: number | undefined
  readonly meters: Readonly<Record<string, string>>
  readonly amount: DecimalText
}
export type ResourcesPage = {
  readonly start: string
  readonly end: string
  readonly currency: string
  readonly data: readonly ResourceJson[]
  readonly nextCursor?: string | undefined
}

/** Models that requests may name: those that have a price for this organization now. */
export type ModelsReply = { readonly data: readonly { readonly id: string }[] }
