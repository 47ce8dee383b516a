import type { Database, Queryable } from '@ascribe/postgres'
import { formatInstant, formatNano, isUuid, roundToMinor } from '@ascribe/units'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'
import { exactNano, frozen } from './invoice-content.ts'
import type { InvoiceContent, InvoiceParty, InvoiceTax } from './invoice-content.ts'
import { parseDocument } from './read-invoices.ts'
import { nextNumber } from './series.ts'
import { taxOn } from './taxes.ts'

/** How much of a line is credited, before tax. Line 0 is no line in particular. */
export type CreditedLine = { readonly line: number; readonly amount: Nano }

export type NewCreditNote = {
  /** Of the invoice. */
  readonly invoiceId: string
  readonly reason: string
  /** `all`: whatever has not been credited yet. */
  readonly lines: readonly CreditedLine[] | 'all'
  readonly at: Instant
  readonly by: string
  /** Default `CN-`. */
  readonly prefix?: string
}

/** Everything that a credit note says. Amounts are positive: what the customer is credited. `net` + `tax_total` + `rounding` = `total`. */
export type CreditNoteContent = {
  readonly version: 1
  readonly number: string
  readonly issued_at: string
  /** The invoice that it corrects. */
  readonly invoice: string
  readonly month: string
  readonly organization_id: string
  readonly customer: InvoiceParty
  readonly seller: InvoiceParty
  readonly currency: Currency
  readonly reason: string
  readonly lines: readonly { readonly line: number; readonly amount: string; readonly what: string }[]
  readonly net: string
  readonly taxes: readonly InvoiceTax[]
  readonly tax_total: string
  readonly rounding: string
  readonly total: string
}

export type CreditNote = {
  readonly number: string
  readonly invoiceId: string
  readonly invoiceNumber: string
  readonly issuedAt: Instant
  readonly reason: string
  readonly net: Nano
  readonly tax: Nano
  readonly rounding: Nano
  readonly total: Nano
}

export const CREDIT_NOTE_PREFIX = 'CN-'

type InvoiceRow = {
  readonly state: string
  readonly number: string | null
  readonly subtotal_nano: string
  readonly credits_nano: string
  readonly content: string
  readonly sha256: string
}

/**
 * Credits an invoice, whole or in part. Notes never exceed it: neither its net amount, nor a line's. Taxes and rounding are those of
 * everything credited so far, less those of the notes before, so that notes over the whole net come to the invoice's total exactly.
 * @throws {LedgerInputError} when there is nothing (more) to credit, or too much is asked for
 */
export async function createCreditNote(db: Database, note: NewCreditNote): Promise<CreditNote> {
  const { invoiceId, reason, at, by, prefix = CREDIT_NOTE_PREFIX } = note
  if (reason.trim() === '') throw refusal('it needs a reason')
  return db.transaction(async (tx) => {
    const { invoice, content } = await lockInvoice(tx, invoiceId)
    const before = await creditedBefore(tx, invoiceId)
    const net = BigInt(invoice.subtotal_nano) + BigInt(invoice.credits_nano)
    const lines = note.lines === 'all' ? [{ line: 0, amount: net - before.net }] : note.lines
    const asked = checkLines({ lines, content, before, left: net - before.net })
    const sums = sumsOf(content, { before: before.net, after: before.net + asked })
    if (sums.total <= 0n) throw refusal('it would come to nothing after rounding')
    const number = await nextNumber(tx, { prefix, kind: 'credit_note' })
    const document = documentOf({ note, number, content, lines, net: asked, sums })
    const { text, sha256 } = frozen(document)
    const { rows } = await tx.query<{ credit_note_id: string }>(
      `insert into credit_note (invoice_id, number, reason, issued_at, issued_by, net_nano, tax_nano, rounding_nano, total_nano, content, sha256)
       values ($1::uuid, $2::text, $3::text, $4::timestamptz, $5::text, $6::numeric, $7::numeric, $8::numeric, $9::numeric, $10::text, $11::text)
       returning credit_note_id`,
      [invoiceId, number, reason, sqlInstant(at), by, asked, sums.tax, sums.rounding, sums.total, text, sha256],
    )
    for (const [index, { line, amount }] of lines.entries()) {
      await tx.query(
        'insert into credit_note_line (credit_note_id, position, invoice_line, amount_nano) values ($1::uuid, $2::integer, $3::integer, $4::numeric)',
        [rows[0]?.credit_note_id ?? null, index + 1, line, amount],
      )
    }
    const { tax, rounding, total } = sums
    return { number, invoiceId, invoiceNumber: invoice.number ?? '', issuedAt: at, reason, net: asked, tax, rounding, total }
  })
}

async function lockInvoice(tx: Queryable, invoiceId: string): Promise<{ readonly invoice: InvoiceRow; readonly content: InvoiceContent }> {
  if (!isUuid(invoiceId)) throw refusal('there is no such invoice')
  const { rows } = await tx.query<InvoiceRow>(
    'select state, number, subtotal_nano, credits_nano, content, sha256 from invoice where invoice_id = $1::uuid for update',
    [invoiceId],
  )
  const [invoice] = rows
  if (invoice === undefined) throw refusal('there is no such invoice')
  if (invoice.state !== 'issued' && invoice.state !== 'paid') throw refusal(`the invoice is ${invoice.state}`)
  return { invoice, content: parseDocument<InvoiceContent>(invoice, `invoice ${invoice.number}`) }
}

type Before = { readonly net: Nano; readonly byLine: ReadonlyMap<number, Nano> }

async function creditedBefore(tx: Queryable, invoiceId: string): Promise<Before> {
  const { rows } = await tx.query<{ invoice_line: number; amount: string }>(
    `select l.invoice_line, sum(l.amount_nano) as amount from credit_note n join credit_note_line l using (credit_note_id)
     where n.invoice_id = $1::uuid group by l.invoice_line`,
    [invoiceId],
  )
  const byLine = new Map(rows.map(({ invoice_line: line, amount }) => [line, BigInt(amount)]))
  return { net: [...byLine.values()].reduce((sum, amount) => sum + amount, 0n), byLine }
}

/** Gives the sum of the lines. @throws {LedgerInputError} */
function checkLines(input: {
  readonly lines: readonly CreditedLine[]
  readonly content: InvoiceContent
  readonly before: Before
  readonly left: Nano
}): Nano {
  const { lines, content, before, left } = input
  const byLine = new Map(before.byLine)
  let asked = 0n
  for (const { line, amount } of lines) {
    if (amount <= 0n) throw refusal(left <= 0n ? 'nothing of the invoice is left to be credited' : 'an amount is not positive')
    const credited = (byLine.get(line) ?? 0n) + amount
    byLine.set(line, credited)
    asked += amount
    if (line === 0) continue
    const owed = content.lines[line - 1]
    if (owed === undefined) throw refusal(`the invoice has no line ${line}`)
    if (credited > exactNano(owed.amount))
      throw refusal(`line ${line} is ${owed.amount} ${content.currency}, and ${formatNano(credited)} of it would be credited`)
  }
  if (asked === 0n) throw refusal('it credits nothing')
  if (asked > left)
    throw refusal(`${formatNano(asked)} ${content.currency} before tax is more than the ${formatNano(left)} that are left of the invoice`)
  return asked
}

type NoteSums = { readonly taxes: readonly InvoiceTax[]; readonly tax: Nano; readonly rounding: Nano; readonly total: Nano }

function sumsOf(content: InvoiceContent, net: { readonly before: Nano; readonly after: Nano }): NoteSums {
  const { currency } = content
  const upTo = (base: Nano): { readonly taxes: readonly Nano[]; readonly tax: Nano; readonly total: Nano } => {
    const taxes = content.taxes.map((tax) => taxOn(base, tax.rate_percent, currency))
    const tax = taxes.reduce((sum, amount) => sum + amount, 0n)
    return { taxes, tax, total: roundToMinor(base + tax, currency) }
  }
  const [before, after] = [upTo(net.before), upTo(net.after)]
  const tax = after.tax - before.tax
  const total = after.total - before.total
  const base = net.after - net.before
  return {
    taxes: content.taxes.map(({ name, rate_percent }, index) => ({
      name,
      rate_percent,
      base: formatNano(base),
      amount: formatNano((after.taxes[index] ?? 0n) - (before.taxes[index] ?? 0n)),
    })),
    tax,
    rounding: total - base - tax,
    total,
  }
}

function documentOf(input: {
  readonly note: NewCreditNote
  readonly number: string
  readonly content: InvoiceContent
  readonly lines: readonly CreditedLine[]
  readonly net: Nano
  readonly sums: NoteSums
}): CreditNoteContent {
  const { note, number, content, lines, net, sums } = input
  return {
    version: 1,
    number,
    issued_at: formatInstant(note.at),
    invoice: content.number ?? '',
    month: content.month,
    organization_id: content.organization_id,
    customer: content.customer,
    seller: content.seller,
    currency: content.currency,
    reason: note.reason,
    lines: lines.map(({ line, amount }) => ({ line, amount: formatNano(amount), what: whatOf(content, line) })),
    net: formatNano(net),
    taxes: sums.taxes,
    tax_total: formatNano(sums.tax),
    rounding: formatNano(sums.rounding),
    total: formatNano(sums.total),
  }
}

function whatOf(content: InvoiceContent, line: number): string {
  const owed = content.lines[line - 1]
  if (owed === undefined) return ''
  return [owed.model, owed.meter, owed.auth_id, owed.description ?? ''].filter((part) => part !== '').join(' · ')
}

type NoteRow = {
  readonly number: string
  readonly invoice_id: string
  readonly invoice_number: string
  readonly issued_at: number
  readonly reason: string
  readonly net_nano: string
  readonly tax_nano: string
  readonly rounding_nano: string
  readonly total_nano: string
}

/** The credit notes of an invoice, oldest first. */
export async function listCreditNotes(db: Queryable, invoiceId: string): Promise<readonly CreditNote[]> {
  if (!isUuid(invoiceId)) return []
  const { rows } = await db.query<NoteRow>(
    `select n.number, n.invoice_id, i.number as invoice_number, n.issued_at, n.reason, n.net_nano, n.tax_nano, n.rounding_nano, n.total_nano
     from credit_note n join invoice i using (invoice_id) where n.invoice_id = $1::uuid order by n.issued_at, n.number`,
    [invoiceId],
  )
  return rows.map((row) => ({
    number: row.number,
    invoiceId: row.invoice_id,
    invoiceNumber: row.invoice_number,
    issuedAt: row.issued_at,
    reason: row.reason,
    net: BigInt(row.net_nano),
    tax: BigInt(row.tax_nano),
    rounding: BigInt(row.rounding_nano),
    total: BigInt(row.total_nano),
  }))
}

/** What a credit note says; `undefined` when there is none of that number. @throws {DocumentDamagedError} */
export async function readCreditNote(db: Queryable, number: string): Promise<CreditNoteContent | undefined> {
  const { rows } = await db.query<{ content: string; sha256: string }>('select content, sha256 from credit_note where number = $1::text', [
    number,
  ])
  const [row] = rows
  return row === undefined ? undefined : parseDocument<CreditNoteContent>(row, `credit note ${number}`)
}

function refusal(why: string): LedgerInputError {
  return new LedgerInputError(`Cannot write a credit note: ${why}`)
}
