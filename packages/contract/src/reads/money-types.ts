import type { DecimalText } from '../types.ts'

export type StatementSummaryJson = {
  readonly month: string
  readonly currency: string
  /** The month is not closed: it may change. */
  readonly provisional: boolean
  readonly total: DecimalText
}
export type StatementsPage = { readonly data: readonly StatementSummaryJson[]; readonly nextCursor?: string | undefined }
export type CursorQuery = { readonly cursor?: string | undefined }

export type InvoiceState = 'draft' | 'issued' | 'paid' | 'void'
export type InvoicesQuery = {
  readonly state?: readonly InvoiceState[] | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}
export type InvoiceParams = { readonly id: string; readonly invoice: string }

export type InvoiceJson = {
  readonly id: string
  /** Absent on a draft, as are the next two. */
  readonly number?: string | undefined
  readonly issuedAt?: string | undefined
  readonly dueAt?: string | undefined
  readonly month: string
  readonly state: InvoiceState
  readonly currency: string
  readonly createdAt: string
  readonly paidAt?: string | undefined
  readonly voidedAt?: string | undefined
  readonly subtotal: DecimalText
  readonly credits: DecimalText
  readonly tax: DecimalText
  readonly rounding: DecimalText
  readonly total: DecimalText
  /** Of its credit notes. */
  readonly credited: DecimalText
  readonly amountDue: DecimalText
  readonly lines: number
  readonly sha256: string
  /** Where its print view is, on this listener; never on the internal one. */
  readonly htmlPath?: string | undefined
}
export type InvoicesPage = { readonly data: readonly InvoiceJson[]; readonly nextCursor?: string | undefined }

export type InvoiceLineJson = {
  readonly line: number
  readonly kind: string
  readonly model: string
  readonly apiKey: string
  readonly meter: string
  readonly quantity: string
  readonly rate: DecimalText
  readonly amount: DecimalText
  readonly description?: string | undefined
  readonly corrects?: string | undefined
}
export type CreditNoteJson = {
  readonly number: string
  readonly issuedAt: string
  readonly reason: string
  readonly net: DecimalText
  readonly tax: DecimalText
  readonly total: DecimalText
}
export type InvoiceDetail = InvoiceJson & {
  readonly lineItems: readonly InvoiceLineJson[]
  readonly creditsDrawn: readonly { readonly kind: string; readonly note: string; readonly amount: DecimalText }[]
  readonly taxes: readonly {
    readonly name: string
    readonly ratePercent: string
    readonly base: DecimalText
    readonly amount: DecimalText
  }[]
  readonly creditNotes: readonly CreditNoteJson[]
}

export type CreditBlockJson = {
  readonly id: string
  readonly kind: string
  readonly state: 'scheduled' | 'active' | 'spent' | 'expired' | 'void'
  readonly amount: DecimalText
  /** What could be spent now. */
  readonly balance: DecimalText
  /** What is not spent. */
  readonly remaining: DecimalText
  readonly perUnitCostBasis?: DecimalText | undefined
  readonly priority: number
  readonly effectiveFrom: string
  readonly expiresAt?: string | undefined
  readonly note: string
}
export type CreditEntryJson = {
  readonly block: string
  readonly kind: 'grant' | 'draw' | 'return' | 'expire' | 'void'
  readonly amount: DecimalText
  readonly balanceAfter: DecimalText
  readonly at: string
  readonly invoice?: string | undefined
  readonly reason: string
}
export type CreditsReply = {
  readonly currency: string
  readonly data: readonly CreditBlockJson[]
  readonly entries: readonly CreditEntryJson[]
  readonly burnDown: {
    readonly balance: DecimalText
    readonly notInvoiced: DecimalText
    readonly left: DecimalText
    readonly dailyAverage: DecimalText
    readonly emptyOn?: string | undefined
  }
}

export type BudgetStandingJson = {
  readonly subject: string
  readonly spent: DecimalText
  readonly reserved: DecimalText
  readonly left: DecimalText
}
export type BudgetJson = {
  readonly id: string
  readonly scope: 'organization' | 'user' | 'group' | 'credential'
  /** An id, or `*`: each one by itself. */
  readonly subject: string
  /** `tokens` or a currency. */
  readonly unit: string
  readonly period: 'day' | 'month' | 'prepaid'
  readonly name?: string | undefined
  readonly limit: DecimalText
  readonly from: string
  readonly until?: string | undefined
  /** Per cent of the limit at which somebody is told. */
  readonly thresholds: readonly number[]
  /** Whom: the host of the webhook; its path may be a secret. */
  readonly webhookHost?: string | undefined
  /** A member of the organization set it: an admin there changes and ends it. Others are the provider's. */
  readonly isOwn: boolean
  /** Since when alerts are signed with a secret of this budget's own; absent: with one that the provider has. */
  readonly webhookSecretSince?: string | undefined
  readonly windowStart: string
  /** Absent: it never begins anew. */
  readonly windowEnd?: string | undefined
  readonly standings: readonly BudgetStandingJson[]
}
export type BudgetsReply = { readonly data: readonly BudgetJson[] }
