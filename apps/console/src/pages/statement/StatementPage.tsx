import type { ReactNode } from 'react'
import { getInvoice, getOrganization, getStatement, listApiKeys, printInvoice } from '@ascribe/contract/operations'
import { useApi } from '../../api/context.tsx'
import { useRead } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatMonth, formatRange, monthRange } from '../../format/dates.ts'
import { usePageHref, usePageParam } from '../../navigation.ts'
import { DateText } from '../../ui/Amounts.tsx'
import { Button } from '../../ui/Button.tsx'
import { Link } from '../../ui/Link.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { Page } from '../../ui/Page.tsx'
import { InvoiceStatus } from '../invoices/InvoiceStatus.tsx'
import { Loaded } from '../Loaded.tsx'
import { saveFile } from '../csv.ts'
import { overviewAddress } from '../overview-link.ts'
import { useAllPages } from '../use-all-pages.ts'
import { useToday } from '../use-today.ts'
import { CreditNotes, Lines, Totals } from './StatementParts.tsx'
import { statementCsv, viewOfInvoice, viewOfStatement } from './statement-view.ts'
import type { StatementView } from './statement-view.ts'
import '../pages.css'
import './statement.css'

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/

/** An invoice by its id or number, or the statement of a month that has none. It prints as it stands. */
export function StatementPage(): ReactNode {
  const id = usePageParam('invoice')
  return MONTH.test(id) ? <MonthStatement month={id} /> : <InvoiceStatement id={id} />
}

function MonthStatement({ month }: { month: string }): ReactNode {
  const query = useRead(getStatement, { query: { month } })
  return (
    <Loaded query={query} what="the statement" height={480}>
      {(statement) => <Statement view={viewOfStatement(statement)} />}
    </Loaded>
  )
}

function InvoiceStatement({ id }: { id: string }): ReactNode {
  const query = useRead(getInvoice, { params: { invoice: id } })
  return (
    <Loaded query={query} what="the invoice" height={480}>
      {(invoice) => <Statement view={viewOfInvoice(invoice)} invoiceId={invoice.id} hasDocument={invoice.htmlPath !== undefined} />}
    </Loaded>
  )
}

function Statement({
  view,
  invoiceId,
  hasDocument = false,
}: {
  view: StatementView
  invoiceId?: string
  hasDocument?: boolean
}): ReactNode {
  const { providerName, mayExport, mode } = useConsoleConfig()
  const api = useApi()
  const href = usePageHref()
  const today = useToday()
  const organization = useRead(getOrganization)
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } })
  const { from, to } = monthRange(`${view.month}-01`)
  const end = view.state === 'open_month' && today < to ? today : to
  const title = view.number === undefined ? `Statement ${formatMonth(view.month)}` : `Invoice ${view.number}`
  const names = keys.isWhole || keys.error !== null ? new Map(keys.data?.map((key) => [key.id, key.name ?? key.publicId])) : undefined
  const save = (): void =>
    saveFile(`${view.number ?? `statement-${view.month}`}.csv`, { text: statementCsv(view), type: 'text/csv;charset=utf-8' })
  return (
    <Page
      title={title}
      actions={
        <>
          <Button icon="print" onPress={() => window.print()}>
            Print or save as PDF
          </Button>
          {mayExport && (
            <Button icon="download" onPress={save}>
              CSV
            </Button>
          )}
          {mode === 'customer' && hasDocument && invoiceId !== undefined && (
            <Link kind="button" isExternal href={api.url(printInvoice, { params: { invoice: invoiceId } })}>
              As it was issued
            </Link>
          )}
        </>
      }
    >
      <article className="statement" aria-label={title}>
        <header className="statement-head">
          <div>
            {providerName !== undefined && <strong className="statement-issuer">{providerName}</strong>}
            <InvoiceStatus status={view.state} />
          </div>
          <dl className="ui-pairs">
            <dt>Bill to</dt>
            <dd>
              {organization.data?.name ?? ' '}
              <span className="pages-sub id">{api.organizationId}</span>
            </dd>
            <dt>Period</dt>
            <dd>{formatRange(from, end)}</dd>
            {view.issuedAt !== undefined && (
              <>
                <dt>Issued</dt>
                <dd>
                  <DateText at={view.issuedAt} show="day" />
                </dd>
              </>
            )}
            {view.dueAt !== undefined && (
              <>
                <dt>Due</dt>
                <dd>
                  <DateText at={view.dueAt} show="day" />
                </dd>
              </>
            )}
          </dl>
        </header>
        {view.state === 'open_month' && (
          <Notice kind="info">
            This month goes on: it counts until the end of {formatMonth(view.month)}, and its lines may change until it is closed.
          </Notice>
        )}
        {view.state === 'void' && <Notice kind="danger">This invoice is void: nothing of it is due.</Notice>}
        <Held view={view} />
        <Lines view={view} range={{ from, to: end }} names={names} />
        <Totals view={view} />
        <CreditNotes view={view} />
        <p className="pages-small">
          Rows are rounded; the total is exact.{' '}
          <span className="statement-screen">Every line leads to its usage, day by day and record by record. </span>
          <span className="statement-screen">
            <Link href={href(overviewAddress({ from, to: end }))}>Usage of this period</Link>
          </span>
        </p>
      </article>
    </Page>
  )
}

/** Never zero by silence. */
function Held({ view }: { view: StatementView }): ReactNode {
  if (view.held === undefined) return null
  const { unpriced, unattributed, unknown } = view.held
  const parts = [
    ...(unpriced > 0 ? [`${unpriced} ${unpriced === 1 ? 'record has' : 'records have'} no price yet`] : []),
    ...(unattributed > 0 ? [`${unattributed} could not be attributed to a key`] : []),
    ...(unknown > 0 ? [`${unknown} ${unknown === 1 ? 'request was' : 'requests were'} served without reported usage`] : []),
  ]
  if (parts.length === 0) return null
  return <Notice kind="warning">{parts.join('; ')}. They are held aside and are in no total.</Notice>
}
