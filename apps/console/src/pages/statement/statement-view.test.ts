import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Statement } from '@ascribe/contract'
import type { InvoiceDetail } from '@ascribe/contract/reads'
import { addAmounts, isZero, negated } from '../amounts.ts'
import { statementCsv, sumOf, viewOfInvoice, viewOfStatement } from './statement-view.ts'

const line = {
  line: 1,
  kind: 'usage',
  model: 'llama',
  apiKey: 'k1',
  meter: 'input_tokens',
  quantity: '1000',
  rate: '0.0000002',
  amount: '0.0002',
}
const INVOICE: InvoiceDetail = {
  id: 'i',
  number: 'ASC-1',
  month: '2026-10',
  state: 'issued',
  currency: 'USD',
  createdAt: '2026-11-02T00:00:00Z',
  subtotal: '120.0002',
  credits: '-20',
  tax: '10.00002',
  rounding: '-0.00022',
  total: '110',
  credited: '5',
  amountDue: '105',
  lines: 2,
  sha256: '',
  lineItems: [line, { ...line, line: 2, kind: 'adjustment', amount: '-0.0001', corrects: '2026-09', description: 'late records' }],
  creditsDrawn: [{ kind: 'promotion', note: 'Welcome', amount: '-20' }],
  taxes: [{ name: 'VAT', ratePercent: '10', base: '100.0002', amount: '10.00002' }],
  creditNotes: [],
}

test('viewOfInvoice() leads from the lines to what is due, with credits below zero and corrections apart', () => {
  const view = viewOfInvoice(INVOICE)
  assert.deepEqual(
    view.totals.map(({ label, amount }) => [label, amount]),
    [
      ['Subtotal', '120.0002'],
      ['Credits applied: Welcome', '-20'],
      ['VAT, 10 %', '10.00002'],
      ['Rounding to whole cents', '-0.00022'],
      ['Total', '110'],
      ['Given back by credit notes', '-5'],
      ['Total due', '105'],
    ],
  )
  assert.deepEqual([view.lines.length, view.adjustments.length], [1, 1])
  // What is shown adds up: subtotal, credits, taxes and rounding are the total.
  const [subtotal, credits, tax, rounding, total] = view.totals.map(({ amount }) => amount)
  assert.equal(Number(addAmounts([subtotal, credits, tax, rounding].filter((each) => each !== undefined))), Number(total))
})

test('viewOfStatement() of a month without an invoice has its total and what is held; sumOf() is exact', () => {
  const statement: Statement = {
    organization_id: 'o',
    month: '2026-11',
    currency: 'USD',
    provisional: true,
    total: '0.3',
    lines: Array.from({ length: 3 }, () => ({
      kind: 'usage',
      model: 'm',
      auth_id: 'k',
      meter: 'x',
      quantity: 1,
      rate: '0.1',
      amount: '0.1',
    })),
    held: { unpriced: 2, unattributed: 0, unknown: 1 },
  }
  const view = viewOfStatement(statement)
  assert.equal(view.state, 'open_month')
  assert.equal(sumOf(view.lines), '0.300000000')
  assert.deepEqual(view.held, { unpriced: 2, unattributed: 0, unknown: 1 })
})

test('statementCsv() writes every digit, and no cell that a spreadsheet would run', () => {
  const csv = statementCsv(viewOfInvoice({ ...INVOICE, lineItems: [{ ...line, model: '=HYPERLINK("x")' }] }))
  assert.match(csv, /^section,line,model/)
  assert.match(csv, /usage,"'=HYPERLINK\(""x""\)",k1,input_tokens,1000,0\.0000002,0\.0002,USD/)
  assert.match(csv, /totals,Credits applied: Welcome,,,,,,-20,USD/)
  assert.ok(csv.endsWith('\r\n'))
})

test('negated() and isZero() know no minus zero', () => {
  assert.deepEqual([negated('0.00'), negated('1.5'), negated('-2')], ['0.00', '-1.5', '2'])
  assert.deepEqual(['0', '-0', '0.000', '0.001'].map(isZero), [true, true, true, false])
})
