import type { DecimalText } from '../types.ts'

/*
 * The reference's shapes (billing-view.md 2), casing and all. docs/guides/costs.md says from what each field is filled.
 */

export type ReferenceWindowQuery = { readonly startDate: string; readonly endDate: string }
export type ReferenceInvoicesQuery = {
  readonly draft?: boolean | undefined
  readonly issued?: boolean | undefined
  readonly paid?: boolean | undefined
  readonly void?: boolean | undefined
  readonly synced?: boolean | undefined
  readonly cursor?: string | undefined
}
export type ReferencePageQuery = { readonly cursor?: string | undefined }

export type ReferencePlanType = 'capacity' | 'evaluation' | 'internal' | 'on-demand' | 'partner' | 'uncategorized'

export type ReferencePaymentMethod = {
  readonly id: string
  readonly type: string
  readonly card?: { readonly last4: string; readonly expMonth: number; readonly expYear: number } | null | undefined
  /** UNIX seconds. */
  readonly created: number
  readonly defaultPaymentMethod: boolean
}

export type OrganizationResponse = {
  readonly id: string
  readonly name: string
  readonly blocked: boolean
  readonly onboarded: boolean
  readonly subscription?: { readonly type: ReferencePlanType; readonly marketplace: 'aws' | 'direct' } | null | undefined
  readonly trialExpiresAt?: string | null | undefined
  readonly paymentMethods?: readonly ReferencePaymentMethod[] | null | undefined
  readonly defaultPaymentMethodId?: string | null | undefined
}

export type ReferenceRegion = { readonly id: string; readonly name: string; readonly cloudProvider: string; readonly url: string }

export type ReferenceCreditBlock = {
  /** A double, as the reference has it. Exact: GET /v1/organizations/{id}/credits. */
  readonly balance: number
  readonly perUnitCostBasis?: DecimalText | null | undefined
}

export type ReferenceInvoice = {
  readonly invoiceNumber: string
  readonly status: string
  readonly issueDate: string
  readonly createdAt: string
  readonly currency: string
  readonly total: DecimalText
  readonly amountDue: DecimalText
  readonly webUrl?: string | null | undefined
  readonly pdfUrl?: string | null | undefined
}

export type Paginated<Entry> = { readonly data: readonly Entry[]; readonly nextCursor?: string | null | undefined }

export type ReferenceCluster = {
  readonly environment_id: string
  readonly cluster_grouping_key: string
  readonly category: string
  readonly region: string
  /** Price id to amount. */
  readonly amounts: Readonly<Record<string, DecimalText>>
  readonly usage: number
}

export type ReferenceAccount = {
  readonly external_customer_id: string
  readonly name: string
  readonly clusters: readonly ReferenceCluster[]
}

export type DailyCostBreakdownResponse = {
  readonly days: readonly { readonly startDate: string; readonly endDate: string; readonly accounts: readonly ReferenceAccount[] }[]
}

export type ReferenceComputePrice = {
  readonly regionId: string
  readonly replicaSize: string
  readonly unitAmount: DecimalText
  readonly subtotal: DecimalText
}
export type ReferenceStoragePrice = { readonly regionId: string; readonly unitAmount: DecimalText; readonly subtotal: DecimalText }
export type ReferenceCost<Price> = { readonly prices: readonly Price[]; readonly subtotal: DecimalText; readonly total: DecimalText }

export type ReferenceCostBucket = {
  readonly startDate: string
  readonly endDate: string
  /** Before minimums and discounts. */
  readonly subtotal: DecimalText
  readonly total: DecimalText
  readonly costs: {
    readonly compute: ReferenceCost<ReferenceComputePrice>
    readonly storage: ReferenceCost<ReferenceStoragePrice>
  }
}

export type DailyCostResponse = {
  readonly subtotal: DecimalText
  readonly total: DecimalText
  readonly daily: readonly ReferenceCostBucket[]
}
