import type { ReactNode } from 'react'
import type { Currency } from '@ascribe/units'
import { formatMonth } from '../../format/dates.ts'
import { NOTHING } from '../../format/digits.ts'
import { formatUnitPrice, meterWords } from '../../format/money.ts'
import { usePageHref } from '../../navigation.ts'
import { DateText, Money, Quantity } from '../../ui/Amounts.tsx'
import { Link } from '../../ui/Link.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column } from '../../ui/table-rows.ts'
import { overviewAddress } from '../overview-link.ts'
import { sumOf } from './statement-view.ts'
import type { StatementView, ViewLine } from './statement-view.ts'

type Range = { readonly from: string; readonly to: string }

const KINDS: Readonly<Record<string, string>> = {
  usage: 'Usage',
  tier: 'By tier',
  package: 'Packages',
  included: 'Included',
  minimum: 'Minimum',
  commitment: 'Commitment',
  adjustment: 'Correction',
}

/** Printed whole: what is not in the document is not on paper. */
const NEVER = Number.POSITIVE_INFINITY

/** What was used, at which price; then, apart, what corrects earlier months. `names` are those of keys; undefined: still on their way. */
export function Lines({
  view,
  range,
  names,
}: {
  view: StatementView
  range: Range
  names: ReadonlyMap<string, string> | undefined
}): ReactNode {
  const columns = useColumns({ currency: view.currency, range, names })
  return (
    <>
      <section className="statement-part" aria-labelledby="statement-lines">
        <h2 id="statement-lines">Lines</h2>
        {view.lines.length === 0 ? (
          <p className="pages-note">No usage in this period.</p>
        ) : (
          <Table caption="Lines" columns={columns} rows={view.lines} rowKey={({ key }) => key} virtualFrom={NEVER} />
        )}
      </section>
      {view.adjustments.length > 0 && (
        <section className="statement-part" aria-labelledby="statement-adjustments">
          <h2 id="statement-adjustments">Adjustments of earlier months</h2>
          <Table
            caption="Adjustments"
            columns={withSum(columns, { lines: view.adjustments, currency: view.currency })}
            rows={view.adjustments}
            rowKey={({ key }) => key}
            virtualFrom={NEVER}
          />
        </section>
      )}
    </>
  )
}

function withSum(
  columns: readonly Column<ViewLine>[],
  { lines, currency }: { readonly lines: readonly ViewLine[]; readonly currency: string },
): readonly Column<ViewLine>[] {
  return columns.map((column) => {
    if (column.id === 'line') return { ...column, foot: 'Adjustments' }
    return column.id === 'amount' ? { ...column, foot: <Money amount={sumOf(lines)} currency={currency} /> } : column
  })
}

function useColumns({
  currency,
  range,
  names,
}: {
  currency: Currency
  range: Range
  names: ReadonlyMap<string, string> | undefined
}): readonly Column<ViewLine>[] {
  const href = usePageHref()
  return [
    {
      id: 'line',
      header: 'Line',
      cell: (line) => (
        <span>
          <Link kind="row" href={href(overviewAddress(usageOf(line, range)))} title="Open its usage">
            {titleOf(line)}
          </Link>
          <span className="pages-sub">{hintOf(line, names)}</span>
        </span>
      ),
    },
    {
      id: 'quantity',
      header: 'Quantity',
      isNumber: true,
      isPhone: false,
      cell: (line) => (line.meter === '' ? NOTHING : <Quantity value={line.quantity} />),
    },
    {
      id: 'price',
      header: 'Unit price',
      isNumber: true,
      isPhone: false,
      cell: (line) => (line.meter === '' ? NOTHING : formatUnitPrice(line.rate, { currency, meter: line.meter })),
    },
    { id: 'amount', header: `Amount, ${currency}`, isNumber: true, cell: (line) => <Money amount={line.amount} currency={currency} /> },
  ]
}

function titleOf({ kind, model, meter }: ViewLine): string {
  const what = [model, meter === '' ? '' : meterWords(meter)].filter((each) => each !== '').join(' ')
  return what === '' ? (KINDS[kind] ?? kind) : what
}

function hintOf({ kind, apiKey, description, corrects }: ViewLine, names: ReadonlyMap<string, string> | undefined): string {
  return [
    apiKey === '' ? (KINDS[kind] ?? kind) : names === undefined ? ' ' : (names.get(apiKey) ?? apiKey),
    ...(corrects === undefined ? [] : [`corrects ${formatMonth(corrects)}`]),
    ...(description === undefined ? [] : [description]),
  ].join(' · ')
}

function usageOf({ model, apiKey, meter }: ViewLine, range: Range): Parameters<typeof overviewAddress>[0] {
  return {
    ...range,
    by: apiKey === '' ? 'apiKey' : 'meter',
    keys: { ...(model !== '' && { model }), ...(apiKey !== '' && { apiKey }), ...(meter !== '' && { meter }) },
  }
}

/** From the lines to what is due. Credits and what is given back are rows with a word, below zero, and not red. */
export function Totals({ view }: { view: StatementView }): ReactNode {
  return (
    <table className="statement-totals">
      <caption className="ui-hidden">Totals, {view.currency}</caption>
      <tbody>
        {view.totals.map(({ label, amount, kind }) => (
          <tr key={label} data-kind={kind}>
            <th scope="row">
              {label}
              {kind === 'due' && `, ${view.currency}`}
            </th>
            <td className="num">
              <Money amount={amount} currency={view.currency} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** What changed after the invoice was issued, each with its reason. */
export function CreditNotes({ view }: { view: StatementView }): ReactNode {
  if (view.creditNotes.length === 0) return null
  const money = (amount: string): ReactNode => <Money amount={amount} currency={view.currency} />
  return (
    <section className="statement-part" aria-labelledby="statement-notes">
      <h2 id="statement-notes">Credit notes after issue</h2>
      <Table
        caption="Credit notes"
        virtualFrom={NEVER}
        rows={view.creditNotes}
        rowKey={({ number }) => number}
        columns={[
          {
            id: 'number',
            header: 'Number',
            cell: (note) => (
              <span>
                {note.number}
                <span className="pages-sub">{note.reason}</span>
              </span>
            ),
          },
          { id: 'issued', header: 'Issued', isPhone: false, cell: (note) => <DateText at={note.issuedAt} show="day" /> },
          { id: 'net', header: 'Net', isNumber: true, isPhone: false, cell: (note) => money(note.net) },
          { id: 'tax', header: 'Tax', isNumber: true, isPhone: false, cell: (note) => money(note.tax) },
          { id: 'total', header: `Total, ${view.currency}`, isNumber: true, cell: (note) => money(note.total) },
        ]}
      />
    </section>
  )
}
