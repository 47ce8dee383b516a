import type { Statement, StatementLine } from '@ascribe/contract'
import type { InvoiceDetail } from '@ascribe/contract/reads'
import { csvOf } from '../csv.ts'
import { addAmounts, isZero, negated } from '../amounts.ts'

/** A line as the page shows it, of an invoice or of a month that has none. */
export type ViewLine = {
  readonly key: string
  readonly kind: string
  readonly model: string
  readonly apiKey: string
  readonly meter: string
  readonly quantity: string
  readonly rate: string
  readonly amount: string
  readonly description: string | undefined
  /** The closed month that an adjustment corrects. */
  readonly corrects: string | undefined
}

/** A row between the lines and what is due. Credits and what was given back are below zero. */
export type TotalRow = { readonly label: string; readonly amount: string; readonly kind: 'part' | 'sum' | 'due' }

export type StatementView = {
  readonly month: string
  readonly currency: string
  /** Of an issued invoice. */
  readonly number: string | undefined
  readonly state: InvoiceDetail['state'] | 'open_month' | 'not_invoiced'
  readonly issuedAt: string | undefined
  readonly dueAt: string | undefined
  readonly lines: readonly ViewLine[]
  readonly adjustments: readonly ViewLine[]
  readonly totals: readonly TotalRow[]
  readonly creditNotes: InvoiceDetail['creditNotes']
  /** Records that are in no amount: without a price, of nobody, or of unknown quantity. */
  readonly held: Statement['held'] | undefined
}

export function viewOfStatement(statement: Statement): StatementView {
  const lines = statement.lines.map((line, index) => lineOf(line, index))
  return {
    month: statement.month,
    currency: statement.currency,
    number: undefined,
    state: statement.provisional ? 'open_month' : 'not_invoiced',
    issuedAt: undefined,
    dueAt: undefined,
    ...split(lines),
    totals: [
      {
        label: statement.provisional ? 'Total so far, before credits and taxes' : 'Total, before credits and taxes',
        amount: statement.total,
        kind: 'due',
      },
    ],
    creditNotes: [],
    held: statement.held,
  }
}

export function viewOfInvoice(invoice: InvoiceDetail): StatementView {
  const lines = invoice.lineItems.map((line): ViewLine => ({
    ...line,
    key: String(line.line),
    description: line.description,
    corrects: line.corrects,
  }))
  return {
    month: invoice.month,
    currency: invoice.currency,
    number: invoice.number,
    state: invoice.state,
    issuedAt: invoice.issuedAt,
    dueAt: invoice.dueAt,
    ...split(lines),
    totals: totalsOf(invoice),
    creditNotes: invoice.creditNotes,
    held: undefined,
  }
}

/** From the lines to what is due, in the order in which it is computed: credits, which are below zero, before taxes; rounded once. */
function totalsOf(invoice: InvoiceDetail): readonly TotalRow[] {
  const rows: TotalRow[] = [{ label: 'Subtotal', amount: invoice.subtotal, kind: 'sum' }]
  for (const { kind, note, amount } of invoice.creditsDrawn)
    rows.push({ label: `Credits applied: ${note === '' ? kind : note}`, amount, kind: 'part' })
  for (const { name, ratePercent, amount } of invoice.taxes) rows.push({ label: `${name}, ${ratePercent} %`, amount, kind: 'part' })
  if (!isZero(invoice.rounding)) rows.push({ label: 'Rounding to whole cents', amount: invoice.rounding, kind: 'part' })
  rows.push({ label: 'Total', amount: invoice.total, kind: 'sum' })
  if (!isZero(invoice.credited)) rows.push({ label: 'Given back by credit notes', amount: negated(invoice.credited), kind: 'part' })
  rows.push({ label: invoice.state === 'paid' ? 'Total due, paid' : 'Total due', amount: invoice.amountDue, kind: 'due' })
  return rows
}

function split(lines: readonly ViewLine[]): Pick<StatementView, 'lines' | 'adjustments'> {
  return {
    lines: lines.filter(({ kind }) => kind !== 'adjustment'),
    adjustments: lines.filter(({ kind }) => kind === 'adjustment'),
  }
}

function lineOf(line: StatementLine, index: number): ViewLine {
  const { kind, model, auth_id: apiKey, meter, quantity, rate, amount, description, corrects } = line
  return { key: String(index), kind, model, apiKey, meter, quantity: String(quantity), rate, amount, description, corrects }
}

/** What the amounts of lines add up to, exactly. */
export function sumOf(lines: readonly ViewLine[]): string {
  return addAmounts(lines.map(({ amount }) => amount))
}

/** Every line with all its digits, then what they come to. */
export function statementCsv(view: StatementView): string {
  const head = ['section', 'line', 'model', 'api_key', 'meter', 'quantity', 'rate', 'amount', 'currency', 'description', 'corrects']
  const rowOf =
    (section: string) =>
    (line: ViewLine): readonly string[] => [
      section,
      line.kind,
      line.model,
      line.apiKey,
      line.meter,
      line.quantity,
      line.rate,
      line.amount,
      view.currency,
      line.description ?? '',
      line.corrects ?? '',
    ]
  return csvOf([
    head,
    ...view.lines.map(rowOf('lines')),
    ...view.adjustments.map(rowOf('adjustments')),
    ...view.totals.map(({ label, amount }) => ['totals', label, '', '', '', '', '', amount, view.currency, '', '']),
  ])
}
