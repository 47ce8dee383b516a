import type { Queryable } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { exactNano } from '../money/invoice-content.ts'
import type { InvoiceCredit, InvoiceTax } from '../money/invoice-content.ts'
import { NOT_OF_USAGE } from './export-row.ts'
import type { ExportKind, ExportRow } from './export-row.ts'
import { FIRST_ID } from './source-query.ts'
import type { SourceQuery } from './source-query.ts'

type InvoiceRow = {
  readonly organization_id: string
  readonly name: string
  readonly currency: string
  readonly number: string
  readonly credits: readonly InvoiceCredit[]
  readonly taxes: readonly InvoiceTax[]
  readonly rounding_nano: string
}

// Only what is needed of the frozen document: its lines stay where they are.
const PAGE_SQL = `
select i.organization_id, o.name, i.currency, i.number, i.content::json -> 'credits' as credits, i.content::json -> 'taxes' as taxes,
  i.rounding_nano
from invoice i join organization o using (organization_id)
where i.month = $1::date and i.state in ('issued', 'paid') and ($2::uuid is null or i.organization_id = $2::uuid)
  and i.organization_id > $3::uuid
order by i.organization_id limit $4::integer`

/** What invoices have beyond the lines of statements: credits, taxes, and the difference of rounding. */
export async function* streamInvoiceRows(db: Queryable, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { organizationId, months, pageSize } = query
  for (const day of months) {
    const month = day.slice(0, 7)
    const period = monthOf(month)
    let after = FIRST_ID
    while (period !== undefined) {
      const { rows }: { readonly rows: readonly InvoiceRow[] } = await db.query<InvoiceRow>(PAGE_SQL, [
        day,
        organizationId,
        after,
        pageSize,
      ])
      for (const row of rows) yield* rowsOf(row, { month, period })
      const last = rows.at(-1)
      if (last === undefined || rows.length < pageSize) break
      after = last.organization_id
    }
  }
}

type Entry = { readonly kind: ExportKind; readonly amount: string | bigint; readonly description: string }

function* rowsOf(invoice: InvoiceRow, { month, period }: { readonly month: string; readonly period: Period }): Generator<ExportRow> {
  const rounding = BigInt(invoice.rounding_nano)
  const entries: readonly Entry[] = [
    ...invoice.credits.map(({ kind, note, amount }): Entry => ({
      kind: 'credit',
      amount,
      description: [kind, note].filter(Boolean).join(': '),
    })),
    ...invoice.taxes.map(({ name, rate_percent: rate, amount }): Entry => ({ kind: 'tax', amount, description: `${name}, ${rate} %` })),
    ...(rounding === 0n ? [] : [{ kind: 'rounding', amount: rounding, description: 'to the minor unit' } as const]),
  ]
  for (const { kind, amount, description } of entries) {
    yield {
      kind,
      organizationId: invoice.organization_id,
      organizationName: invoice.name,
      currency: invoice.currency,
      month,
      ...period,
      ...NOT_OF_USAGE,
      amount: typeof amount === 'bigint' ? amount : exactNano(amount),
      corrects: null,
      description,
      invoice: invoice.number,
    }
  }
}
