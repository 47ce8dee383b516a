import type { Statement } from '@ascribe/contract'
import { AscribeError, assert } from '@ascribe/kit'
import { DatabaseError } from '@ascribe/postgres'
import type { Database, Queryable } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { readStatement } from '../statement.ts'
import { expireCredits, drawCredits, planCreditDraws } from './draw-credits.ts'
import { buildInvoice, frozen, payableByCredits } from './invoice-content.ts'
import type { ContentInput, InvoiceSums } from './invoice-content.ts'
import { planCreditReturns } from './give-back-credits.ts'
import { readBillingParty } from './parties.ts'
import { nextNumber } from './series.ts'
import { taxRulesFor } from './taxes.ts'

export type InvoiceRequest = {
  readonly organizationId: string
  /** `2026-11`. */
  readonly month: string
  /** Now: when it is drafted or issued, by which parties are looked up. */
  readonly at: Instant
  readonly by: string
}

export type IssueRequest = InvoiceRequest & {
  /** Of the number. Default `INV-`. */
  readonly prefix?: string
  /** Days until payment is due. Default 30. */
  readonly dueDays?: number
}

/**
 * What became of it.
 * - `drafted`, `issued`: done now.
 * - `exists`: the month has been invoiced before; nothing was done.
 * - `nothing`: there is no line, so there is no invoice.
 * - `open`: the month is not closed, so it cannot be issued.
 * - `not_found`: there is no such organization.
 */
export type InvoiceOutcome =
  | { readonly outcome: 'drafted'; readonly id: string; readonly currency: Currency; readonly total: Nano }
  | {
      readonly outcome: 'issued' | 'exists'
      readonly id: string
      readonly number: string
      readonly currency: Currency
      readonly total: Nano
    }
  | { readonly outcome: 'nothing' | 'open' | 'not_found' }

const DAY_MS = 86_400_000
export const INVOICE_PREFIX = 'INV-'
export const DUE_DAYS = 30

/** Makes or renews the draft of a month, which may still be open. A draft binds nobody: credits are not drawn, no number is taken. @throws {LedgerInputError} */
export async function draftInvoice(db: Database, request: InvoiceRequest): Promise<InvoiceOutcome> {
  const statement = await readStatement(db, { organizationId: request.organizationId, month: request.month, scope: 'operator' })
  if (statement === undefined) return { outcome: 'not_found' }
  return db.transaction(async (tx) => {
    const row = await lockInvoice(tx, request, statement)
    if (row.number !== null) return existing(row, statement)
    if (statement.lines.length === 0) {
      await tx.query('delete from invoice where invoice_id = $1::uuid', [row.invoice_id])
      return { outcome: 'nothing' }
    }
    const { content, sums } = buildInvoice(await inputOf(tx, { request, statement, lock: false }))
    const { text, sha256 } = frozen(content)
    await tx.query(`update invoice set ${SET_CONTENT} where invoice_id = $1::uuid`, [
      row.invoice_id,
      ...contentValues({ sums, content, text, sha256 }),
    ])
    return { outcome: 'drafted', id: row.invoice_id, currency: statement.currency, total: sums.total }
  })
}

/**
 * Issues the invoice of a closed month, with or without a draft before it: draws credits, takes the next number, and freezes what it says,
 * in one transaction. Safe to repeat. One that comes to 0 is paid at once. @throws {LedgerInputError}
 */
export async function issueInvoice(db: Database, request: IssueRequest): Promise<InvoiceOutcome> {
  const { organizationId, at, by } = request
  const statement = await readStatement(db, { organizationId, month: request.month, scope: 'operator' })
  if (statement === undefined) return { outcome: 'not_found' }
  // Of a closed month nothing changes any more, so that what was read stands however long the transaction waits.
  if (statement.provisional) return { outcome: 'open' }
  const issued = await db.transaction(async (tx) => issueIn(tx, request, statement))
  if (issued.outcome === 'issued') await expireCredits(db, { at, by, organizationId })
  return issued
}

async function issueIn(tx: Queryable, request: IssueRequest, statement: Statement): Promise<InvoiceOutcome> {
  const { at, by, prefix = INVOICE_PREFIX, dueDays = DUE_DAYS } = request
  const row = await lockInvoice(tx, request, statement)
  if (row.number !== null) return existing(row, statement)
  if (statement.lines.length === 0) {
    await tx.query('delete from invoice where invoice_id = $1::uuid', [row.invoice_id])
    return { outcome: 'nothing' }
  }
  const input = await inputOf(tx, { request, statement, lock: true })
  await drawCredits(tx, input.draws, { invoiceId: row.invoice_id, at, by })
  const dueAt = at + dueDays * DAY_MS
  const number = await nextNumber(tx, { prefix, kind: 'invoice' })
  const { content, sums } = buildInvoice({ ...input, issue: { number, issuedAt: at, dueAt } })
  const { text, sha256 } = frozen(content)
  await tx.query(
    `update invoice set ${SET_CONTENT}, state = 'issued', number = $10::text, issued_by = $11::text,
       issued_at = to_timestamp($12::bigint / 1000.0), due_at = to_timestamp($13::bigint / 1000.0)
     where invoice_id = $1::uuid`,
    [row.invoice_id, ...contentValues({ sums, content, text, sha256 }), number, by, at, dueAt],
  )
  if (sums.total === 0n) {
    await tx.query(
      `update invoice set state = 'paid', paid_at = issued_at, paid_by = $2::text, payment_reference = 'nothing is due'
       where invoice_id = $1::uuid`,
      [row.invoice_id, by],
    )
  }
  return { outcome: 'issued', id: row.invoice_id, number, currency: statement.currency, total: sums.total }
}

type LockedRow = { readonly invoice_id: string; readonly number: string | null; readonly total_nano: string }

function existing(row: LockedRow, { currency }: Statement): InvoiceOutcome {
  return { outcome: 'exists', id: row.invoice_id, number: row.number ?? '', currency, total: BigInt(row.total_nano) }
}

// An empty draft where there is none: whoever comes second waits for this row, and then sees what became of it.
const ENSURE = `
insert into invoice (organization_id, month, currency, created_at, created_by, subtotal_nano, credits_nano, tax_nano, rounding_nano,
  total_nano, line_count, content, sha256)
values ($1::uuid, $2::date, $3::text, to_timestamp($4::bigint / 1000.0), $5::text, 0, 0, 0, 0, 0, 0, '', repeat('0', 64))
on conflict (organization_id, month) where state <> 'void' do nothing`

const LOCK = `
select invoice_id, number, total_nano from invoice
where organization_id = $1::uuid and month = $2::date and state <> 'void' for update`

async function lockInvoice(tx: Queryable, request: InvoiceRequest, { currency }: Statement): Promise<LockedRow> {
  const { organizationId, month, at, by } = request
  const key = [organizationId, `${month}-01`]
  for (;;) {
    await tx.query(ENSURE, [...key, currency, at, by])
    const { rows } = await tx.query<LockedRow>(LOCK, key)
    const [row] = rows
    // Gone only if it was voided, or its draft deleted, between the two statements: then there is room for a new one.
    if (row !== undefined) return row
  }
}

const SET_CONTENT = `subtotal_nano = $2::numeric, credits_nano = $3::numeric, tax_nano = $4::numeric, rounding_nano = $5::numeric,
  total_nano = $6::numeric, line_count = $7::integer, content = $8::text, sha256 = $9::text`

function contentValues(invoice: {
  readonly sums: InvoiceSums
  readonly content: { readonly lines: readonly unknown[] }
  readonly text: string
  readonly sha256: string
}): readonly unknown[] {
  const { subtotal, credits, tax, rounding, total } = invoice.sums
  return [subtotal, credits, tax, rounding, total, invoice.content.lines.length, invoice.text, invoice.sha256]
}

async function inputOf(
  tx: Queryable,
  { request, statement, lock }: { readonly request: InvoiceRequest; readonly statement: Statement; readonly lock: boolean },
): Promise<ContentInput> {
  const { organizationId, month, at } = request
  const period = monthOf(month)
  assert(period !== undefined, `a statement was read for ${month}, which is no month`)
  const { rows } = await tx.query<{ name: string }>('select name from organization where organization_id = $1::uuid', [organizationId])
  const customer = await readBillingParty(tx, { organizationId, at })
  const payable = payableByCredits(statement.lines)
  return {
    organization: { id: organizationId, name: rows[0]?.name ?? '' },
    month,
    period,
    currency: statement.currency,
    provisional: statement.provisional,
    lines: statement.lines,
    draws:
      payable < 0n
        ? await planCreditReturns(tx, { organizationId, month, payable }, { lock })
        : await planCreditDraws(tx, { organizationId, period, payable }, { lock }),
    taxes: await taxRulesFor(tx, { organizationId, country: customer?.country ?? '', month }),
    seller: await readBillingParty(tx, { organizationId: undefined, at }),
    customer,
  }
}

/** One organization's part of a run over a month. */
export type MonthProgress = { readonly organizationId: string; readonly name: string } & (
  | InvoiceOutcome
  /** Why this one could not be billed; the others are. */
  | { readonly outcome: 'failed'; readonly error: AscribeError }
)

/**
 * Drafts or issues a month for every organization, oldest first, one transaction each: a run that was cut short goes on where it
 * stopped, and one that is repeated changes nothing. Stops between two when the signal fires.
 * @throws {DatabaseError} What is wrong with one organization alone is yielded, and the others go on.
 */
export async function* invoiceMonth(
  db: Database,
  run: Omit<IssueRequest, 'organizationId'> & { readonly action: 'draft' | 'issue'; readonly signal?: AbortSignal },
): AsyncGenerator<MonthProgress, void, undefined> {
  const { action, signal, ...request } = run
  const { rows } = await db.query<{ organization_id: string; name: string }>(
    'select organization_id, name from organization order by created_at, organization_id',
  )
  const perform = action === 'draft' ? draftInvoice : issueInvoice
  for (const { organization_id: organizationId, name } of rows) {
    if (signal?.aborted === true) return
    yield { organizationId, name, ...(await perform(db, { ...request, organizationId }).catch(failed)) }
  }
}

function failed(error: unknown): { readonly outcome: 'failed'; readonly error: AscribeError } {
  if (!(error instanceof AscribeError) || error instanceof DatabaseError) throw error
  return { outcome: 'failed', error }
}
