import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { sha256Of } from './canonical-json.ts'
import { DocumentDamagedError } from './errors.ts'
import type { InvoiceContent } from './invoice-content.ts'

export type InvoiceState = 'draft' | 'issued' | 'paid' | 'void'

export const INVOICE_STATES: readonly InvoiceState[] = ['draft', 'issued', 'paid', 'void']

/** An invoice without its lines: what a list shows. */
export type InvoiceSummary = {
  readonly id: string
  readonly organizationId: string
  readonly organizationName: string
  /** `2026-11`. */
  readonly month: string
  readonly state: InvoiceState
  readonly currency: Currency
  /** Absent on a draft. */
  readonly number: string | undefined
  readonly createdAt: Instant
  readonly issuedAt: Instant | undefined
  readonly dueAt: Instant | undefined
  readonly paidAt: Instant | undefined
  readonly paymentReference: string | undefined
  readonly voidedAt: Instant | undefined
  readonly voidReason: string | undefined
  readonly subtotal: Nano
  /** Zero or negative. */
  readonly credits: Nano
  readonly tax: Nano
  readonly rounding: Nano
  /** Whole minor units. */
  readonly total: Nano
  /** Of its credit notes. */
  readonly credited: Nano
  /** What is still to be paid; 0 when it is void. Negative: it was paid, and credited since; that much is owed to the customer. */
  readonly amountDue: Nano
  readonly lineCount: number
  /** Of the frozen document, hex. */
  readonly sha256: string
}

type SummaryRow = {
  readonly invoice_id: string
  readonly organization_id: string
  readonly name: string
  readonly month: string
  readonly state: InvoiceState
  readonly currency: string
  readonly number: string | null
  readonly created_at: number
  readonly issued_at: number | null
  readonly due_at: number | null
  readonly paid_at: number | null
  readonly payment_reference: string | null
  readonly voided_at: number | null
  readonly void_reason: string | null
  readonly subtotal_nano: string
  readonly credits_nano: string
  readonly tax_nano: string
  readonly rounding_nano: string
  readonly total_nano: string
  readonly credited: string
  readonly credited_later: string
  readonly line_count: number
  readonly sha256: string
}

// Without the document: a list of invoices costs the same however many lines they have.
const SUMMARY = `
select i.invoice_id, i.organization_id, o.name, to_char(i.month, 'YYYY-MM') as month, i.state, i.currency, i.number, i.created_at,
  i.issued_at, i.due_at, i.paid_at, i.payment_reference, i.voided_at, i.void_reason, i.subtotal_nano, i.credits_nano, i.tax_nano,
  i.rounding_nano, i.total_nano, i.line_count, i.sha256,
  (select coalesce(sum(n.total_nano), 0) from credit_note n where n.invoice_id = i.invoice_id) as credited,
  (select coalesce(sum(n.total_nano), 0) from credit_note n where n.invoice_id = i.invoice_id and n.issued_at > i.paid_at) as credited_later
from invoice i join organization o using (organization_id)`

export type InvoiceFilter = {
  readonly organizationId?: string
  /** `2026-11`. */
  readonly month?: string
  /** Default: all. */
  readonly states?: readonly InvoiceState[]
  /** Only what comes after this invoice, by its id. */
  readonly after?: string
  /** Default 20. */
  readonly limit?: number
}

const LIMIT = 20

/** Invoices, newest first. */
export async function listInvoices(db: Queryable, filter: InvoiceFilter = {}): Promise<readonly InvoiceSummary[]> {
  const { organizationId = null, month = null, states = INVOICE_STATES, after = null, limit = LIMIT } = filter
  if ((organizationId !== null && !isUuid(organizationId)) || (after !== null && !isUuid(after))) return []
  const { rows } = await db.query<SummaryRow>(
    `${SUMMARY}
     where ($1::uuid is null or i.organization_id = $1::uuid) and ($2::date is null or i.month = $2::date) and i.state = any($3::text[])
       and ($4::uuid is null or (i.created_at, i.invoice_id) < (select created_at, invoice_id from invoice where invoice_id = $4::uuid))
     order by i.created_at desc, i.invoice_id desc limit $5::integer`,
    [organizationId, month === null ? null : `${month}-01`, [...states], after, limit],
  )
  return rows.map(summaryOf)
}

/** Finds an invoice by its number or its id; `undefined` when there is none. Does not read its lines. */
export async function findInvoice(db: Queryable, numberOrId: string): Promise<InvoiceSummary | undefined> {
  if (numberOrId.includes('\0')) return undefined
  const by = isUuid(numberOrId) ? 'i.invoice_id = $1::uuid' : 'i.number = $1::text'
  const { rows } = await db.query<SummaryRow>(`${SUMMARY} where ${by}`, [numberOrId])
  return rows.map(summaryOf)[0]
}

/** Reads what an invoice says. @throws {DocumentDamagedError} when it is not what was frozen */
export async function readInvoiceContent(db: Queryable, id: string): Promise<InvoiceContent | undefined> {
  if (!isUuid(id)) return undefined
  const { rows } = await db.query<{ content: string; sha256: string }>('select content, sha256 from invoice where invoice_id = $1::uuid', [
    id,
  ])
  const [row] = rows
  if (row === undefined) return undefined
  return parseDocument<InvoiceContent>(row, `invoice ${id}`)
}

/** Parses a frozen document. @throws {DocumentDamagedError} */
export function parseDocument<Content>(row: { readonly content: string; readonly sha256: string }, what: string): Content {
  if (sha256Of(row.content) !== row.sha256) throw new DocumentDamagedError(`Cannot read ${what}: it is not what its hash says`)
  // Only buildInvoice and createCreditNote write documents, and the hash says that this is what they wrote.
  return JSON.parse(row.content) as Content
}

function summaryOf(row: SummaryRow): InvoiceSummary {
  const total = BigInt(row.total_nano)
  const credited = BigInt(row.credited)
  return {
    id: row.invoice_id,
    organizationId: row.organization_id,
    organizationName: row.name,
    month: row.month,
    state: row.state,
    currency: row.currency,
    number: row.number ?? undefined,
    createdAt: row.created_at,
    issuedAt: row.issued_at ?? undefined,
    dueAt: row.due_at ?? undefined,
    paidAt: row.paid_at ?? undefined,
    paymentReference: row.payment_reference ?? undefined,
    voidedAt: row.voided_at ?? undefined,
    voidReason: row.void_reason ?? undefined,
    subtotal: BigInt(row.subtotal_nano),
    credits: BigInt(row.credits_nano),
    tax: BigInt(row.tax_nano),
    rounding: BigInt(row.rounding_nano),
    total,
    credited,
    amountDue: amountDue(row),
    lineCount: row.line_count,
    sha256: row.sha256,
  }
}

/** Whoever has paid is owed what was credited afterwards. */
function amountDue({ state, total_nano: total, credited, credited_later: creditedLater }: SummaryRow): Nano {
  if (state === 'void') return 0n
  return state === 'paid' ? -BigInt(creditedLater) : BigInt(total) - BigInt(credited)
}
