import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InvoiceJson } from '@ascribe/contract/reads'
import { invoiceRows } from './rows.ts'
import type { StatementSummary } from './rows.ts'

const invoice = (month: string, state: InvoiceJson['state'], id = `inv-${month}`): InvoiceJson => ({
  id,
  month,
  state,
  currency: 'USD',
  createdAt: `${month}-02T00:00:00Z`,
  subtotal: '1',
  credits: '0',
  tax: '0',
  rounding: '0',
  total: '1',
  credited: '0',
  amountDue: '1',
  lines: 1,
  sha256: '',
})
const month = (name: string, provisional = false): StatementSummary => ({ month: name, currency: 'USD', provisional, total: '2' })

const all = { filter: 'all', year: undefined } as const
const shown = (rows: ReturnType<typeof invoiceRows>): readonly string[] => rows.map(({ id, status }) => `${id} ${status}`)

test('invoiceRows() puts months without an invoice beside the invoices, newest first, and each month once', () => {
  const invoices = [invoice('2026-10', 'issued'), invoice('2026-09', 'void')]
  const months = [month('2026-11', true), month('2026-10'), month('2026-09'), month('2026-08')]
  assert.deepEqual(shown(invoiceRows({ invoices, hasMore: false, months }, all)), [
    '2026-11 open_month',
    'inv-2026-10 issued',
    'inv-2026-09 void',
    '2026-09 not_invoiced',
    '2026-08 not_invoiced',
  ])
  assert.deepEqual(
    shown(invoiceRows({ invoices, hasMore: true, months }, all)).at(-1),
    '2026-09 not_invoiced',
    'August may have an invoice',
  )
})

test('invoiceRows() keeps a status or a year; a month that is not invoiced counts as a draft', () => {
  const invoices = [invoice('2026-01', 'paid'), invoice('2025-12', 'draft')]
  const data = { invoices, hasMore: false, months: [month('2026-02', true)] }
  assert.deepEqual(shown(invoiceRows(data, { filter: 'paid', year: undefined })), ['inv-2026-01 paid'])
  assert.deepEqual(shown(invoiceRows(data, { filter: 'draft', year: undefined })), ['2026-02 open_month', 'inv-2025-12 draft'])
  assert.deepEqual(shown(invoiceRows(data, { filter: 'all', year: '2025' })), ['inv-2025-12 draft'])
})
