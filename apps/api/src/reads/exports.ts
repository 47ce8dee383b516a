import { exportCharges } from '@ascribe/contract/reads'
import type { ExportQuery } from '@ascribe/contract/reads'
import { CHARGES_HEADER, FOCUS_HEADER, chargesLine, focusLine, streamExportRows, textOf } from '@ascribe/ledger/money'
import type { ExportRow } from '@ascribe/ledger/money'
import { periodOfDays } from '@ascribe/ledger/views'
import { monthOf } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import { StreamReply, organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { filterOf, subjectsOf } from './report-scope.ts'

/** Everything that is charged in a window, as a file. */
export const exportRoutes: readonly Route[] = [organizationRoute(exportCharges, (context, { query }) => exportOf(context, query))]

const FORMATS = {
  csv: { header: CHARGES_HEADER, line: (row: ExportRow) => chargesLine(row), mark: 'exported_by' },
  focus: { header: FOCUS_HEADER, line: (row: ExportRow) => focusLine(row), mark: 'x_ExportedBy' },
} as const

/** Of a line of CSV, which `csvLine()` ends so. */
const END = '\r\n'

/** What an operator takes away says in its last column who took it and by which request (R27): a file goes on without its log. */
function formatOf(
  { caller, requestId }: OrganizationContext,
  format: ExportQuery['format'],
): Omit<(typeof FORMATS)['csv' | 'focus'], 'mark'> {
  const { header, line, mark } = FORMATS[format]
  if (caller.kind !== 'operator') return { header, line }
  const by = `"support: ${caller.name.replaceAll('"', '""')}, request ${requestId}"`
  const marked = (text: string, cell: string): string => `${text.slice(0, -END.length)},${cell}${END}`
  return { header: marked(header, mark), line: (row) => marked(line(row), by) }
}

/** Ten years: a file is read once and needs no page to hold it. */
const EXPORT_DAYS_MAX = 3653

async function exportOf(context: OrganizationContext, query: ExportQuery): Promise<StreamReply> {
  const { db, organizationId, clock } = context
  const { from, to, format, rows: select, children } = query
  const period = untilEndOfMonth(periodOfDays({ from, to }, { daysMax: EXPORT_DAYS_MAX }), clock())
  const filter = filterOf(query)
  const organizationIds = await subjectsOf(context, children)
  let rows = 0
  const { header, line } = formatOf(context, format)
  const counted = (row: ExportRow): string => {
    rows += 1
    return line(row)
  }
  async function* found(): AsyncGenerator<ExportRow, void, undefined> {
    for (const id of organizationIds)
      yield* streamExportRows(db, { organizationId: id, from: period.start, to: period.end, select, filter })
  }
  return new StreamReply({
    contentType: 'text/csv; charset=utf-8',
    fileName: `charges-${organizationId}-${from}-${to}${format === 'focus' ? '-focus-1.2' : ''}.csv`,
    chunks: textOf(found(), { header, line: counted }),
    rows: () => rows,
  })
}

/**
 * A window that reaches today takes in what this month comes to so far, as reports do (see monthsDatedIn): there is no usage after today, and
 * so the rest of the month adds just the lines of the month.
 */
function untilEndOfMonth(period: Period, now: Instant): Period {
  const month = monthOf(new Date(now).toISOString().slice(0, 7))
  if (month === undefined || period.end <= now || period.end > month.end) return period
  return { start: period.start, end: month.end }
}
