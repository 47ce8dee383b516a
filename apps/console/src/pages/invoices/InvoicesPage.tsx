import type { ReactNode } from 'react'
import { getFreshness, listInvoices, listStatements } from '@ascribe/contract/operations'
import { useRead, useReadPages } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatMonth, formatRangeShort, monthRange } from '../../format/dates.ts'
import { NOTHING } from '../../format/digits.ts'
import { useGoTo, usePageHref, useSearchState } from '../../navigation.ts'
import { oneOf, optionalText } from '../../search-params.ts'
import type { SearchFields } from '../../search-params.ts'
import { DateText, Money } from '../../ui/Amounts.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { Select } from '../../ui/Select.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column } from '../../ui/table-rows.ts'
import { Dropped } from '../Dropped.tsx'
import { FaultBox, Loaded } from '../Loaded.tsx'
import { LoadMore } from '../LoadMore.tsx'
import { csvOf, saveFile } from '../csv.ts'
import { overviewAddress } from '../overview-link.ts'
import { useToday } from '../use-today.ts'
import { InvoiceStatus } from './InvoiceStatus.tsx'
import { invoiceRows } from './rows.ts'
import type { InvoiceFilter, InvoiceRow } from './rows.ts'
import '../pages.css'

const FILTERS = ['all', 'draft', 'issued', 'paid', 'void'] as const
const PAGE = 100

type State = { readonly status: InvoiceFilter; readonly year: string | undefined }
const FIELDS: SearchFields<State> = { status: oneOf(FILTERS, 'all'), year: optionalText((text) => /^\d{4}$/.test(text)) }

/** What was owed, what is, and what this month comes to so far. */
export function InvoicesPage(): ReactNode {
  const { state, set, dropped } = useSearchState(FIELDS)
  const today = useToday()
  const { mayExport } = useConsoleConfig()
  const invoices = useReadPages(listInvoices, { query: { limit: PAGE } })
  const months = useRead(listStatements)
  const freshness = useRead(getFreshness)
  const loaded = invoices.data?.pages.flatMap((page) => [...page.data])
  const rows =
    loaded === undefined || (months.data === undefined && months.error === null)
      ? undefined
      : invoiceRows(
          { invoices: loaded, hasMore: invoices.hasNextPage, months: months.data?.data ?? [] },
          { filter: state.status, year: state.year },
        )
  const asOf = freshness.data?.newestRecordAt ?? freshness.data?.ratedBefore
  const isFiltered = state.status !== 'all' || state.year !== undefined
  const years = Array.from({ length: 8 }, (_, back) => String(Number(today.slice(0, 4)) - back))
  return (
    <Page
      title="Invoices"
      actions={
        mayExport &&
        rows !== undefined &&
        rows.length > 0 && (
          <Button icon="download" onPress={() => saveFile('invoices.csv', { text: listCsv(rows), type: 'text/csv;charset=utf-8' })}>
            Export
          </Button>
        )
      }
    >
      <Dropped names={dropped} />
      <div className="ui-controls">
        <Select
          label="Status"
          value={state.status}
          onChange={(status) => set({ status: FILTERS.find((each) => each === status) ?? 'all' })}
          options={[
            { id: 'all', label: 'any' },
            { id: 'draft', label: 'Draft' },
            { id: 'issued', label: 'Open' },
            { id: 'paid', label: 'Paid' },
            { id: 'void', label: 'Void' },
          ]}
        />
        <Select
          label="Year"
          value={state.year ?? ''}
          onChange={(year) => set({ year: year === '' ? undefined : year })}
          options={[{ id: '', label: 'any' }, ...years.map((id) => ({ id, label: id }))]}
        />
      </div>
      {months.error !== null && (
        <FaultBox error={months.error} what="the months without an invoice" onRetry={() => void months.refetch()} />
      )}
      <Loaded query={{ ...invoices, data: rows }} what="the invoices" height={320}>
        {(found) =>
          found.length === 0 ? (
            <Card isFlush>
              {isFiltered ? (
                <EmptyState
                  title="Nothing matches these filters."
                  actions={<Button onPress={() => set({ status: 'all', year: undefined })}>Clear filters</Button>}
                />
              ) : (
                <EmptyState title="No invoices yet.">
                  The first comes after {formatRangeShort(monthRange(today).to, monthRange(today).to)}.
                </EmptyState>
              )}
            </Card>
          ) : (
            <>
              <Card isFlush aria-label="Invoices">
                <InvoicesTable rows={found} today={today} asOf={asOf} />
              </Card>
              <LoadMore
                shown={found.length}
                what={found.length === 1 ? 'invoice or month' : 'invoices and months'}
                hasMore={invoices.hasNextPage}
                isLoading={invoices.isFetchingNextPage}
                onMore={() => void invoices.fetchNextPage()}
              />
            </>
          )
        }
      </Loaded>
    </Page>
  )
}

function InvoicesTable({ rows, today, asOf }: { rows: readonly InvoiceRow[]; today: string; asOf: string | undefined }): ReactNode {
  const href = usePageHref()
  const goTo = useGoTo()
  const currencies = new Set(rows.map(({ currency }) => currency))
  const [only = ''] = currencies
  const columns: readonly Column<InvoiceRow>[] = [
    {
      id: 'number',
      header: 'Number',
      cell: (row) => (
        <Link kind="row" href={href({ page: 'statement', params: { invoice: row.id } })}>
          <span className="pages-nowrap">{row.number}</span>
        </Link>
      ),
    },
    { id: 'period', header: 'Period (UTC)', isPhone: false, cell: (row) => periodText(row, today) },
    { id: 'issued', header: 'Issued', isPhone: false, cell: (row) => dayOrNothing(row.issuedAt) },
    { id: 'due', header: 'Due', isPhone: false, cell: (row) => dayOrNothing(row.dueAt) },
    {
      id: 'total',
      header: currencies.size === 1 ? `Total, ${only}` : 'Total',
      isNumber: true,
      cell: (row) => <Money amount={row.total} currency={row.currency} withCurrency={currencies.size > 1} />,
    },
    {
      id: 'status',
      header: 'Status',
      cell: (row) => <InvoiceStatus status={row.status} asOf={row.month === today.slice(0, 7) ? asOf : undefined} />,
    },
    {
      id: 'usage',
      header: 'Usage',
      isPhone: false,
      cell: (row) => (
        <Link href={href(overviewAddress(rangeOf(row, today)))} aria-label={`Usage of ${formatMonth(row.month)}`}>
          Usage
        </Link>
      ),
    },
  ]
  return (
    <Table
      caption="Invoices, newest first"
      columns={columns}
      rows={rows}
      rowKey={({ id, currency }) => `${id} ${currency}`}
      onOpen={({ id }) => goTo({ page: 'statement', params: { invoice: id } })}
    />
  )
}

/** The days of a month that there have been. */
function rangeOf({ month }: Pick<InvoiceRow, 'month'>, today: string): { readonly from: string; readonly to: string } {
  const { from, to } = monthRange(`${month}-01`)
  return { from, to: from <= today && today < to ? today : to }
}

function periodText(row: InvoiceRow, today: string): string {
  const { from, to } = rangeOf(row, today)
  return formatRangeShort(from, row.status === 'open_month' ? to : monthRange(`${row.month}-01`).to)
}

function dayOrNothing(at: string | undefined): ReactNode {
  return at === undefined ? <span className="pages-muted">{NOTHING}</span> : <DateText at={at} show="day" />
}

function listCsv(rows: readonly InvoiceRow[]): string {
  return csvOf([
    ['number', 'month', 'issued', 'due', 'currency', 'total', 'status'],
    ...rows.map((row) => [row.number, row.month, row.issuedAt ?? '', row.dueAt ?? '', row.currency, row.total, row.status]),
  ])
}
