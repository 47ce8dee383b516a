import type { Queryable } from '@ascribe/postgres'
import type { MonthLine } from '../month-lines.ts'
import type { BookShelf } from '../price-versions.ts'
import { readMonthLines } from '../read-month-lines.ts'
import type { DatedMonths } from './day-window.ts'

/** An organization's open month that has lines which no hourly charge makes, and the day that the month is dated on. */
export type OpenMonth = { readonly organizationId: string; readonly month: string; readonly day: string }

/** A line of a month that is still open. */
export type OpenMonthLine = { readonly line: MonthLine; readonly day: string }

type Asked = { readonly organizationIds: readonly string[]; readonly months: DatedMonths; readonly books: BookShelf }

type Row = {
  readonly organization_id: string
  readonly month: string
  readonly priced: boolean
  readonly sequence: number | null
  readonly sha256: string | null
}

// Of each open month, whether anything was used that only its total prices, and the book whose minimums and commitments hold: the one in
// force when it ends. Index period_quantity_organization.
const OPEN_MONTHS = `
select o.organization_id, to_char(m.month, 'YYYY-MM-DD') as month, v.sequence, v.sha256, exists (
    select from period_quantity q where q.organization_id = o.organization_id and q.hour >= m.month::timestamp at time zone 'UTC'
      and q.hour < (m.month + interval '1 month') at time zone 'UTC') as priced
from organization o
cross join unnest($2::date[]) m (month)
left join lateral (
  select sequence, sha256 from price_version
  where kind = 'full' and currency = o.currency and effective_from < (m.month + interval '1 month') at time zone 'UTC'
  order by effective_from desc, sequence desc limit 1
) v on true
where o.organization_id = any($1::uuid[]) and m.month > coalesce((select max(month) from billing_period), '-infinity'::date)`

/** The open months of organizations that can have such lines. For most organizations there are none, and one question tells so. */
export async function findOpenMonths(db: Queryable, { organizationIds, months, books }: Asked): Promise<readonly OpenMonth[]> {
  if (months.size === 0) return []
  const { rows } = await db.query<Row>(OPEN_MONTHS, [[...organizationIds], [...months.keys()]])
  const found: OpenMonth[] = []
  for (const { organization_id: organizationId, month, priced, sequence, sha256 } of rows) {
    if (!priced) {
      if (sequence === null || sha256 === null) continue
      const { minimums, commitments } = await books.bookOf(db, { sequence, sha256 })
      if (minimums.length === 0 && commitments.length === 0) continue
    }
    found.push({ organizationId, month: month.slice(0, 7), day: months.get(month) ?? month })
  }
  return found
}

/** Their lines, as they are now: those of the statement. */
export async function readOpenMonthLines(tx: Queryable, open: readonly OpenMonth[], books: BookShelf): Promise<readonly OpenMonthLine[]> {
  const lines: OpenMonthLine[] = []
  for (const { organizationId, month, day } of open) {
    const found = await readMonthLines(tx, { organizationId, month, books, isOpen: true })
    lines.push(...found.map((line) => ({ line, day })))
  }
  return lines
}
