import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { returnCredits } from './draw-credits.ts'
import { takeGivenCredits } from './give-back-credits.ts'
import type { InvoiceState } from './read-invoices.ts'

/** `done`, or the state that forbids it; `credited`: it has credit notes, so that it cannot be undone as a whole. */
export type SettleOutcome = 'done' | 'not_found' | 'credited' | InvoiceState

/** Marks an issued invoice as paid, whole. An invoice that is paid already is left as it is (`paid`). */
export async function payInvoice(
  db: Queryable,
  { id, at, by, reference = '' }: { readonly id: string; readonly at: Instant; readonly by: string; readonly reference?: string },
): Promise<SettleOutcome> {
  if (!isUuid(id)) return 'not_found'
  const { rowCount } = await db.query(
    `update invoice set state = 'paid', paid_at = $2::timestamptz, paid_by = $3::text, payment_reference = $4::text
     where invoice_id = $1::uuid and state = 'issued'`,
    [id, sqlInstant(at), by, reference],
  )
  return rowCount === 1 ? 'done' : ((await stateOf(db, id)) ?? 'not_found')
}

/**
 * Makes an issued invoice void: its credits come back, its number stays taken, and the month can be invoiced again. One that is paid
 * cannot be: write a credit note. @throws {CreditConflictError} when it gave credits back, and they are spent
 */
export async function voidInvoice(
  db: Database,
  { id, at, by, reason }: { readonly id: string; readonly at: Instant; readonly by: string; readonly reason: string },
): Promise<SettleOutcome> {
  if (!isUuid(id)) return 'not_found'
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ state: InvoiceState; gave: boolean }>(
      'select state, credits_nano > 0 as gave from invoice where invoice_id = $1::uuid for update',
      [id],
    )
    const [invoice] = rows
    if (invoice === undefined) return 'not_found'
    if (invoice.state !== 'issued') return invoice.state
    // A note is written under the same lock, so that there is none or we see it.
    const notes = await tx.query('select from credit_note where invoice_id = $1::uuid limit 1', [id])
    if (notes.rowCount > 0) return 'credited'
    // It draws or gives, never both.
    await (invoice.gave ? takeGivenCredits : returnCredits)(tx, { invoiceId: id, at, reason, by })
    await tx.query(
      `update invoice set state = 'void', voided_at = $2::timestamptz, voided_by = $3::text, void_reason = $4::text
       where invoice_id = $1::uuid`,
      [id, sqlInstant(at), by, reason],
    )
    return 'done'
  })
}

async function stateOf(db: Queryable, id: string): Promise<InvoiceState | undefined> {
  return (await db.query<{ state: InvoiceState }>('select state from invoice where invoice_id = $1::uuid', [id])).rows[0]?.state
}
