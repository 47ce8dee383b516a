/** Whether the provider's people need the customer's word before they look, and what holds now. */
export type SupportAccess = {
  readonly requireApproval: boolean
  /** Until then any operator may look without asking. */
  readonly window?: { readonly id: string; readonly until: string; readonly openedBy: string } | undefined
  readonly changedAt?: string | undefined
  readonly changedBy?: string | undefined
}
export type SetSupportAccess = { readonly requireApproval: boolean }
export type OpenWindow = { readonly until: string }

export type SupportRequestJson = {
  readonly id: string
  readonly operator: string
  readonly reason: string
  readonly ticket: string
  readonly minutes: number
  readonly requestedAt: string
  readonly state: 'pending' | 'approved' | 'refused' | 'revoked' | 'lapsed'
  readonly until?: string | undefined
  readonly decidedAt?: string | undefined
  readonly decidedBy?: string | undefined
}
export type SupportRequestPage = { readonly data: readonly SupportRequestJson[]; readonly nextCursor?: string | undefined }
export type PageQuery = { readonly cursor?: string | undefined; readonly limit: number }
export type RequestParams = { readonly id: string; readonly requestId: string }
export type ApproveRequest = { readonly until?: string | undefined }
export type EmptyBody = Readonly<Record<string, never>>
