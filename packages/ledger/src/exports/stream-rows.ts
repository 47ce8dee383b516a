import type { StatementLine } from '@ascribe/contract'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid, monthOf, parseRate } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { exactNano } from '../money/invoice-content.ts'
import { readStatementOfMonth } from '../statement.ts'
import type { DimensionFilter } from '../views/dimensions.ts'
import { streamAdjustmentRows } from './adjustment-rows.ts'
import { streamCreditNoteRows } from './credit-note-rows.ts'
import type { ExportRow } from './export-row.ts'
import { streamHourlyRows } from './hourly-rows.ts'
import { streamInvoiceRows } from './invoice-rows.ts'
import { passes } from './narrow-rows.ts'
import { FIRST_ID } from './source-query.ts'
import type { RowSelection, SourceQuery } from './source-query.ts'

export type ExportQuery = {
  /** Default: everybody. */
  readonly organizationId?: string
  /** Instants from here on … */
  readonly from: Instant
  /** … and before this. Rows of a whole month are there when its last instant is. */
  readonly to: Instant
  readonly select: RowSelection
  /** Only rows of these keys, as reports narrow by them. Default: all. */
  readonly filter?: DimensionFilter
  /** Rows read at once, the bound on memory. Default 2000. */
  readonly pageSize?: number
}

const PAGE = 2000
/** Ten years: what is beyond is a slip of the pen. */
const MONTHS_MAX = 120

/**
 * Reads everything that is charged in a period, in detail: hourly charges, then, month by month, what corrects earlier months, what is
 * charged by the month (tiers, packages, minimums, commitments), and of invoices what only they have. In bounded memory, whatever the
 * size; nothing is locked and no transaction stays open while the reader is slow. Over whole months the amounts sum to the statements,
 * or invoices, to the nano; a month that is still open may change while it is read. @throws {LedgerInputError}
 */
export async function* streamExportRows(db: Database, query: ExportQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { from, to, select, filter = {}, pageSize = PAGE } = query
  if (from > to) throw new LedgerInputError('Cannot export: the period ends before it starts')
  if (query.organizationId !== undefined && !isUuid(query.organizationId)) return
  const source: SourceQuery = {
    organizationId: query.organizationId ?? null,
    from,
    to,
    select,
    filter,
    pageSize,
    months: monthsEndingIn({ start: from, end: to }),
  }
  yield* streamHourlyRows(db, source)
  yield* streamAdjustmentRows(db, source)
  yield* streamMonthlyRows(db, source)
  if (select !== 'invoiced') return
  for await (const row of streamInvoiceRows(db, source)) if (passes(row, filter, null)) yield row
  for await (const row of streamCreditNoteRows(db, source)) if (passes(row, filter, null)) yield row
}

function monthsEndingIn({ start, end }: Period): readonly string[] {
  const months: string[] = []
  for (let at = start; at < end;) {
    const month = new Date(at).toISOString().slice(0, 7)
    const period = monthOf(month)
    if (period === undefined || period.end > end) break
    if (months.length === MONTHS_MAX) {
      throw new LedgerInputError('Cannot export: the period is longer than ten years', { hint: 'Give --from and --to of a shorter one.' })
    }
    months.push(`${month}-01`)
    at = period.end
  }
  return months
}

type OwnerRow = {
  readonly organization_id: string
  readonly name: string
  readonly currency: string
  readonly number: string | null
}

const OWNERS = `
select o.organization_id, o.name, o.currency, i.number
from organization o
left join invoice i on i.organization_id = o.organization_id and i.month = $2::date and i.state in ('issued', 'paid')
where ($1::uuid is null or o.organization_id = $1::uuid) and o.organization_id > $3::uuid
  and ($4::text = 'all' or ($4::text = 'open') = (i.number is null))
order by o.organization_id limit $5::integer`

/** Lines of statements that no hourly charge makes. One statement is in memory at a time. */
async function* streamMonthlyRows(db: Database, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  for (const month of query.months) {
    let after = FIRST_ID
    for (;;) {
      const owners = await ownersAfter(db, query, { month, after })
      for (const owner of owners) yield* monthlyRowsOf(db, owner, { month: month.slice(0, 7), filter: query.filter })
      after = owners.at(-1)?.organization_id ?? FIRST_ID
      if (owners.length < query.pageSize) break
    }
  }
}

async function ownersAfter(
  db: Queryable,
  { organizationId, select, pageSize }: SourceQuery,
  { month, after }: { readonly month: string; readonly after: string },
): Promise<readonly OwnerRow[]> {
  return (await db.query<OwnerRow>(OWNERS, [organizationId, month, after, select, pageSize])).rows
}

async function* monthlyRowsOf(
  db: Database,
  owner: OwnerRow,
  { month, filter }: { readonly month: string; readonly filter: DimensionFilter },
): AsyncGenerator<ExportRow, void, undefined> {
  const period = monthOf(month)
  if (period === undefined) return
  // Hourly charges and adjustments have rows of their own, in more detail than lines.
  for (const { line, priceSequence = null } of await readStatementOfMonth(db, { organizationId: owner.organization_id, month })) {
    const row = monthlyRowOf(line, { owner, month, period })
    if (passes(row, filter, priceSequence)) yield row
  }
}

function monthlyRowOf(
  line: StatementLine,
  { owner, month, period }: { readonly owner: OwnerRow; readonly month: string; readonly period: Period },
): ExportRow {
  const rate = parseRate(line.rate, 1)
  const isPriced = line.kind !== 'minimum' && line.kind !== 'commitment'
  return {
    kind: line.kind,
    organizationId: owner.organization_id,
    organizationName: owner.name,
    currency: owner.currency,
    month,
    ...period,
    authId: line.auth_id,
    userId: null,
    groupId: null,
    resourceId: '',
    model: line.model,
    baseModel: null,
    meter: line.meter,
    priceSequence: null,
    rate: isPriced && typeof rate === 'bigint' ? rate : null,
    quantity: isPriced ? BigInt(line.quantity) : null,
    amount: exactNano(line.amount),
    recordCount: null,
    corrects: null,
    description: line.description ?? '',
    invoice: owner.number,
  }
}
