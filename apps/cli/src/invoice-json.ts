import type { CreditNote, InvoiceSummary } from '@ascribe/ledger/money'
import { formatInstant, formatNano } from '@ascribe/units'

/** An invoice as `--json` prints it, without what it says. */
export function summaryJson(invoice: InvoiceSummary): object {
  const instant = (name: string, at: number | undefined): object => (at === undefined ? {} : { [name]: formatInstant(at) })
  return {
    invoice_id: invoice.id,
    ...(invoice.number !== undefined && { number: invoice.number }),
    organization_id: invoice.organizationId,
    organization: invoice.organizationName,
    month: invoice.month,
    state: invoice.state,
    currency: invoice.currency,
    subtotal: formatNano(invoice.subtotal),
    credits: formatNano(invoice.credits),
    tax: formatNano(invoice.tax),
    rounding: formatNano(invoice.rounding),
    total: formatNano(invoice.total),
    credited: formatNano(invoice.credited),
    amount_due: formatNano(invoice.amountDue),
    lines: invoice.lineCount,
    created_at: formatInstant(invoice.createdAt),
    ...instant('issued_at', invoice.issuedAt),
    ...instant('due_at', invoice.dueAt),
    ...instant('paid_at', invoice.paidAt),
    ...(invoice.paymentReference !== undefined && { payment_reference: invoice.paymentReference }),
    ...instant('voided_at', invoice.voidedAt),
    ...(invoice.voidReason !== undefined && { void_reason: invoice.voidReason }),
    sha256: invoice.sha256,
  }
}

/** A credit note as `--json` prints it. */
export function noteJson(note: CreditNote): object {
  return {
    number: note.number,
    invoice: note.invoiceNumber,
    issued_at: formatInstant(note.issuedAt),
    reason: note.reason,
    net: formatNano(note.net),
    tax: formatNano(note.tax),
    rounding: formatNano(note.rounding),
    total: formatNano(note.total),
  }
}
