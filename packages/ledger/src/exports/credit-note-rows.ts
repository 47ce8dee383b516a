import type { Queryable } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import { NOT_OF_USAGE } from './export-row.ts'
import type { ExportKind, ExportRow } from './export-row.ts'
import { FIRST_ID } from './source-query.ts'
import type { SourceQuery } from './source-query.ts'

type NoteRow = {
  readonly credit_note_id: string
  readonly organization_id: string
  readonly name: string
  readonly currency: string
  readonly corrects: string
  readonly invoice: string
  readonly number: string
  readonly reason: string
  readonly net_nano: string
  readonly tax_nano: string
  readonly rounding_nano: string
}

// By the month in which a note was issued. There are few, so no index is kept for it.
const PAGE_SQL = `
select n.credit_note_id, i.organization_id, o.name, i.currency, to_char(i.month, 'YYYY-MM') as corrects, i.number as invoice, n.number, n.reason,
  n.net_nano, n.tax_nano, n.rounding_nano
from credit_note n join invoice i using (invoice_id) join organization o using (organization_id)
where n.issued_at >= $1::date::timestamp at time zone 'UTC' and n.issued_at < ($1::date + interval '1 month') at time zone 'UTC'
  and i.state in ('issued', 'paid') and ($2::uuid is null or i.organization_id = $2::uuid) and n.credit_note_id > $3::uuid
order by n.credit_note_id limit $4::integer`

/** What credit notes take back of invoices, in the month in which they were issued: net amount, tax and rounding, all with the note's number. */
export async function* streamCreditNoteRows(db: Queryable, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { organizationId, months, pageSize } = query
  for (const month of months) {
    let after = FIRST_ID
    for (;;) {
      const { rows }: { readonly rows: readonly NoteRow[] } = await db.query<NoteRow>(PAGE_SQL, [month, organizationId, after, pageSize])
      for (const row of rows) yield* rowsOf(row, month.slice(0, 7))
      const last = rows.at(-1)
      if (last === undefined || rows.length < pageSize) break
      after = last.credit_note_id
    }
  }
}

function* rowsOf(note: NoteRow, month: string): Generator<ExportRow> {
  const period = monthOf(note.corrects)
  if (period === undefined)
    throw new RangeError(`Cannot export credit note ${note.number}: it corrects ${note.corrects}, which is no month`)
  const entries: readonly (readonly [ExportKind, string])[] = [
    ['credit_note', note.net_nano],
    ['tax', note.tax_nano],
    ['rounding', note.rounding_nano],
  ]
  for (const [kind, amount] of entries.filter(([each, nano]) => each === 'credit_note' || nano !== '0')) {
    yield {
      kind,
      organizationId: note.organization_id,
      organizationName: note.name,
      currency: note.currency,
      month,
      ...period,
      ...NOT_OF_USAGE,
      // The note says what the customer is credited.
      amount: -BigInt(amount),
      corrects: note.corrects,
      description: `credits ${note.invoice}: ${note.reason}`,
      invoice: note.number,
    }
  }
}
