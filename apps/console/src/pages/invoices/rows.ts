import type { InvoiceJson, StatementsPage } from '@ascribe/contract/reads'

export type StatementSummary = StatementsPage['data'][number]
type InvoiceState = InvoiceJson['state']

/** A row of the list: an invoice, or the statement of a month that has none yet. */
export type InvoiceRow = {
  /** What the page of it is called by: an invoice's id, or a month. */
  readonly id: string
  readonly number: string
  readonly month: string
  readonly currency: string
  readonly issuedAt: string | undefined
  readonly dueAt: string | undefined
  readonly total: string
  readonly status: InvoiceRowState
}
export type InvoiceRowState = InvoiceState | 'open_month' | 'not_invoiced'

export type InvoiceFilter = 'all' | 'draft' | 'issued' | 'paid' | 'void'

/**
 * Invoices and months without one, newest first. Months that are older than the invoices that have been loaded are left out while there are more: they
 * may have one.
 */
export function invoiceRows(
  {
    invoices,
    hasMore,
    months,
  }: { readonly invoices: readonly InvoiceJson[]; readonly hasMore: boolean; readonly months: readonly StatementSummary[] },
  { filter, year }: { readonly filter: InvoiceFilter; readonly year: string | undefined },
): readonly InvoiceRow[] {
  const oldest = invoices.reduce((least, { month }) => (month < least ? month : least), '9999-12')
  const invoiced = new Set(invoices.filter(({ state }) => state !== 'void').map(({ month, currency }) => `${month} ${currency}`))
  const open = months
    .filter(({ month, currency }) => !invoiced.has(`${month} ${currency}`) && (!hasMore || month >= oldest))
    .map(({ month, currency, provisional, total }): InvoiceRow => ({
      id: month,
      number: month,
      month,
      currency,
      issuedAt: undefined,
      dueAt: undefined,
      total,
      status: provisional ? 'open_month' : 'not_invoiced',
    }))
  const issued = invoices.map((invoice): InvoiceRow => ({
    id: invoice.id,
    number: invoice.number ?? invoice.month,
    month: invoice.month,
    currency: invoice.currency,
    issuedAt: invoice.issuedAt,
    dueAt: invoice.dueAt,
    total: invoice.total,
    status: invoice.state,
  }))
  return [...open, ...issued]
    .filter(({ status, month }) => fits(status, filter) && (year === undefined || month.startsWith(`${year}-`)))
    .toSorted((a, b) => b.month.localeCompare(a.month) || b.id.localeCompare(a.id))
}

function fits(status: InvoiceRowState, filter: InvoiceFilter): boolean {
  if (filter === 'all') return true
  if (filter === 'draft') return status === 'draft' || status === 'open_month' || status === 'not_invoiced'
  return status === filter
}
