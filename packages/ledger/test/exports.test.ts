import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { parseNano } from '@ascribe/units'
import { applyPriceBook, closeMonth, mapAuthId, readStatement } from '../src/index.ts'
import type { Organization } from '../src/index.ts'
import { parseCsv } from '../src/exports/parse-csv.test-support.ts'
import {
  CHARGES_HEADER,
  FOCUS_HEADER,
  addTaxRule,
  chargesLine,
  createCreditNote,
  focusLine,
  focusMetadata,
  grantCredit,
  issueInvoice,
  listInvoices,
  streamExportRows,
  textOf,
} from '../src/money.ts'
import type { CreditNote, ExportQuery, ExportRow } from '../src/money.ts'
import { focusFaults } from './focus-rules.ts'
import { ISSUED, nano, openMoneyLedger } from './money-support.ts'
import { BOOK, HOUR, TEN, createCustomer, deliver, priceBook, rateAll, usageRecord } from './support.ts'

const MARCH = Date.UTC(2026, 2, 1)
const APRIL = Date.UTC(2026, 3, 1)
const MAY = Date.UTC(2026, 4, 1)
const EVERYTHING = `${BOOK.replace(
  /  large:.*\n/,
  `  large:
    prompt: "0.0000123"
    cached: "0"
    completion: { mode: graduated, tiers: [{ up_to: 100, price: "0.003" }, { price: "0.002" }] }
    meters: { images: { package: 10, price: "0.5", included: 5 }, vm_cpu_mhz_seconds: "0.000000000000000001" }
`,
)}minimums:
  - { amount: "1.5" }
`

let db: TestDatabase
let acme: Organization
let evil: Organization

before(async () => {
  db = await openMoneyLedger()
  await applyPriceBook(db, priceBook({ text: EVERYTHING, effectiveFrom: MARCH }))
  acme = await createCustomer(db)
  evil = await createCustomer(db, { authId: 'auth-evil', name: '=HYPERLINK("http://x","pay")' })
  await mapAuthId(db, { authId: '@sum', organizationId: evil.id, userId: '-2+3' })
  const usage = (at: number, fields: Parameters<typeof usageRecord>[0] = {}): ReturnType<typeof usageRecord> =>
    usageRecord({ startedAt: TEN + at, ...fields })
  await deliver(db, [
    ...Array.from({ length: 40 }, (_, index) =>
      usage(index * HOUR, {
        authId: index % 3 === 0 ? 'auth-evil' : 'auth-1',
        resourceId: `r-${index % 4}`,
        meters: { input_tokens: 777 + index, output_tokens: 7 },
      }),
    ),
    usage(1, { model: 'large', meters: { input_tokens: 3, output_tokens: 130, images: 27 } }),
    usage(2, { model: 'large', resourceId: 'vm-1', meters: { vm_cpu_mhz_seconds: 123_456_789 } }),
    usage(3, { authId: '@sum', meters: { input_tokens: 1 } }),
    usage(APRIL - TEN, { meters: { input_tokens: 10 } }),
  ])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'test' })).kind, 'closed')
  await grantCredit(db, { organizationId: acme.id, amount: nano('0.01'), kind: 'trial', effectiveFrom: 0, note: 'hello', by: 'test' })
  await addTaxRule(db, {
    name: 'VAT',
    ratePercent: '19',
    organizationId: acme.id,
    country: undefined,
    note: '',
    effectiveFrom: '2026-01-01',
    by: 'me',
  })
  assert.equal((await issueInvoice(db, { organizationId: acme.id, month: '2026-03', at: ISSUED, by: 'test' })).outcome, 'issued')
  // After March has closed: late usage, of one month's meters too.
  await deliver(db, [usage(4, { meters: { input_tokens: 5 } }), usage(5, { model: 'large', meters: { output_tokens: 5 } })])
  await rateAll(db)
})
after(() => db[Symbol.asyncDispose]())

async function rowsOf(query: Partial<ExportQuery> = {}): Promise<readonly ExportRow[]> {
  return Array.fromAsync(streamExportRows(db, { from: MARCH, to: MAY, select: 'all', ...query }))
}
const sum = (rows: readonly ExportRow[]): bigint => rows.reduce((total, { amount }) => total + amount, 0n)
const kinds = (rows: readonly ExportRow[]): readonly string[] => [...new Set(rows.map(({ kind }) => kind))].toSorted()

async function stated(organizationId: string, month: string): Promise<bigint> {
  return nano((await readStatement(db, { organizationId, month, scope: 'operator' }))?.total ?? '')
}

test('streamExportRows() sums to the statement of each organization and month, to the nano', async () => {
  const rows = await rowsOf()
  for (const { id } of [acme, evil])
    for (const month of ['2026-03', '2026-04'])
      assert.equal(sum(rows.filter((row) => row.organizationId === id && row.month === month)), await stated(id, month), `${id} ${month}`)
  assert.deepEqual(kinds(rows), ['adjustment', 'included', 'minimum', 'package', 'tier', 'usage'])
})

test('streamExportRows() gives every row once whatever the size of its pages, and narrows to an organization and a period', async () => {
  const rows = await rowsOf()
  for (const pageSize of [1, 2, 7]) assert.deepEqual(await rowsOf({ pageSize }), rows)
  assert.deepEqual(
    await rowsOf({ organizationId: acme.id }),
    rows.filter(({ organizationId }) => organizationId === acme.id),
  )
  const day = await rowsOf({ from: MARCH, to: MARCH + 24 * HOUR })
  assert.ok(day.length > 0 && day.every(({ start, kind }) => start < MARCH + 24 * HOUR && kind === 'usage'))
  assert.deepEqual(await rowsOf({ organizationId: 'nobody' }), [])
  await assert.rejects(rowsOf({ from: MAY, to: MARCH }), /ends before it starts/)
})

test('streamExportRows(): invoiced rows sum to what is payable, open rows to the rest, and no row is in both', async () => {
  const [invoice] = await listInvoices(db, { organizationId: acme.id })
  const [all, open, invoiced] = [await rowsOf(), await rowsOf({ select: 'open' }), await rowsOf({ select: 'invoiced' })]
  assert.equal(sum(invoiced), invoice?.total)
  assert.ok(invoiced.every((row) => row.invoice === invoice?.number && row.month === '2026-03' && row.organizationId === acme.id))
  assert.ok(['credit', 'rounding', 'tax'].every((kind) => kinds(invoiced).includes(kind)))
  assert.ok(open.every((row) => row.invoice === null))
  const onlyInvoices = new Set(['credit', 'tax', 'rounding'])
  assert.equal(open.length + invoiced.filter(({ kind }) => !onlyInvoices.has(kind)).length, all.length)
})

test('an export as CSV reads back to the same sum, and no name in it is a formula', async () => {
  const rows = await rowsOf()
  const text = (
    await Array.fromAsync(
      textOf(streamExportRows(db, { from: MARCH, to: MAY, select: 'all' }), { header: CHARGES_HEADER, line: chargesLine }),
    )
  ).join('')
  const [header = [], ...cells] = parseCsv(text)
  assert.equal(cells.length, rows.length)
  const column = (name: string): readonly string[] => cells.map((row) => row[header.indexOf(name)] ?? '')
  assert.equal(
    column('amount').reduce((total, amount) => total + nano(amount), 0n),
    sum(rows),
  )
  for (const name of ['organization', 'auth_id', 'user_id', 'model', 'description'])
    assert.ok(
      column(name).every((cell) => !/^[=+\-@]/.test(cell)),
      name,
    )
  assert.ok(column('user_id').includes("'-2+3"))
  assert.ok(column('auth_id').includes("'@sum"))
})

test('an export as FOCUS follows the rules that the official validator skips, open and invoiced', async () => {
  for (const select of ['open', 'invoiced'] as const) {
    const text = (
      await Array.fromAsync(textOf(streamExportRows(db, { from: MARCH, to: MAY, select }), { header: FOCUS_HEADER, line: focusLine }))
    ).join('')
    const [header = [], ...cells] = parseCsv(text)
    const rows = cells.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index] ?? ''])))
    assert.ok(rows.length > 0)
    assert.deepEqual(focusFaults(header, rows), [], select)
    const billed = rows.reduce((total, row) => total + BigInt(parseNano(row['BilledCost'] ?? '')), 0n)
    assert.equal(billed, sum(await rowsOf({ select })))
  }
})

test('focusMetadata() names the version and every column', () => {
  const { Schema } = focusMetadata() as { Schema: { FocusVersion: string; ColumnDefinition: readonly { ColumnName: string }[] } }
  assert.equal(Schema.FocusVersion, '1.2')
  assert.equal(`${Schema.ColumnDefinition.map(({ ColumnName }) => ColumnName).join(',')}\r\n`, FOCUS_HEADER)
})

const ROWS = 500_000
/** The text of so many rows is some 90 MB. */
const GROWTH_MAX = 8 * 1024 * 1024

/** What is in use once everything that can be is collected. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('litellm-38193: half a million rows are exported in flat memory, no faster than their reader takes them', async () => {
  const [sample] = await rowsOf()
  assert.ok(sample !== undefined)
  let [made, taken, ahead] = [0, 0, 0]
  async function* synthetic(row: ExportRow): AsyncGenerator<ExportRow> {
    for (; made < ROWS; made += 1) yield { ...row, amount: BigInt(made) }
  }
  const levels: number[] = []
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) taken += 1
      ahead = Math.max(ahead, made - taken)
      if (taken > (levels.length + 1) * (ROWS / 5)) levels.push(heapInUse())
      setImmediate(done)
    },
  })
  await pipeline(Readable.from(textOf(synthetic(sample), { header: CHARGES_HEADER, line: chargesLine }), { highWaterMark: 1 }), slow)
  assert.equal(taken, ROWS + 1)
  assert.ok(ahead < 5000, `${ahead} rows were made before they were wanted`)
  const [first = 0, ...later] = levels
  assert.equal(later.length, 4)
  const growth = Math.max(...later) - first
  assert.ok(growth < GROWTH_MAX, `memory grew by ${Math.round(growth / 1024 / 1024)} MB`)
})

test('streamExportRows(): a credit note takes back what it credits, in the month in which it was issued, and corrects the month of the invoice', async () => {
  const [invoice] = await listInvoices(db, { organizationId: acme.id })
  assert.ok(invoice !== undefined)
  const before = await rowsOf({ select: 'invoiced' })
  const notes: CreditNote[] = []
  for (const at of [APRIL + 9 * 24 * HOUR, MAY + HOUR]) {
    const lines = [{ line: 0, amount: nano('0.203') }]
    notes.push(await createCreditNote(db, { invoiceId: invoice.id, lines, reason: 'goodwill', at, by: 'test' }))
  }
  const [first] = notes
  const invoiced = await rowsOf({ select: 'invoiced', pageSize: 1 })
  const added = invoiced.slice(before.length)
  assert.deepEqual(invoiced.slice(0, before.length), before)
  assert.equal(sum(added), 0n - (first?.total ?? 0n))
  assert.deepEqual(
    added.map(({ kind, month, corrects, invoice: number, start, end }) => [kind, month, corrects, number, start, end]),
    ['credit_note', 'tax', 'rounding'].map((kind) => [kind, '2026-04', '2026-03', first?.number, MARCH, APRIL]),
  )
  assert.deepEqual(await rowsOf({ select: 'invoiced', to: APRIL }), before)
  assert.deepEqual(kinds(await rowsOf({ select: 'all' })).includes('credit_note'), false)
  const [header = [], ...cells] = parseCsv([FOCUS_HEADER, ...invoiced.map((row) => focusLine(row))].join(''))
  const rows = cells.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index] ?? ''])))
  assert.deepEqual(focusFaults(header, rows), [])
  assert.equal(rows.at(-3)?.['ChargeDescription'], `credit note, credits ${invoice.number}: goodwill, corrects 2026-03`)
  assert.ok(rows.slice(-3).every((row) => row['ChargeClass'] === 'Correction'))
})
