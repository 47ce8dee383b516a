import type { Queryable } from '@ascribe/postgres'
import { LedgerInputError } from '../errors.ts'
import { SeriesKindError } from './errors.ts'

/** Digits of a number at least, so that texts sort like numbers up to a million documents. */
const DIGITS = 6
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9/_.-]{0,31}$/

/**
 * Takes the next number of a series, from 1, without gaps: the row stays locked until the transaction ends, and what is rolled back was
 * never taken. Call it last, since everybody who numbers waits for it. @throws {LedgerInputError | SeriesKindError}
 */
export async function nextNumber(
  tx: Queryable,
  { prefix, kind }: { readonly prefix: string; readonly kind: 'invoice' | 'credit_note' },
): Promise<string> {
  if (!PREFIX.test(prefix)) {
    throw new LedgerInputError(`Cannot number a document: ${JSON.stringify(prefix)} is no prefix`, {
      hint: 'Give up to 32 letters, digits and / _ . -, such as INV-.',
    })
  }
  await tx.query('insert into document_series (prefix, kind) values ($1::text, $2::text) on conflict (prefix) do nothing', [prefix, kind])
  const { rows } = await tx.query<{ taken: bigint }>(
    `update document_series set next_number = next_number + 1 where prefix = $1::text and kind = $2::text
     returning next_number - 1 as taken`,
    [prefix, kind],
  )
  const [row] = rows
  if (row === undefined) throw new SeriesKindError(`Cannot number a document: the prefix ${prefix} belongs to another kind of document`)
  return `${prefix}${row.taken.toString().padStart(DIGITS, '0')}`
}
