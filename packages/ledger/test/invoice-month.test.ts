import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCreditNote } from '../src/money/credit-notes.ts'
import { invoiceMonth } from '../src/money/issue-invoice.ts'
import { findInvoice, listInvoices, readInvoiceContent } from '../src/money/read-invoices.ts'
import { voidInvoice } from '../src/money/settle-invoice.ts'
import { openInvoices } from './invoices-support.ts'
import { ISSUED, nano } from './money-support.ts'
import { MONTH } from './support.ts'

// Invoices of everybody for a month, and how they are listed.

const { db, names, issue } = await openInvoices({ customers: ['plain', 'voided', 'voided-again', 'corrected'], many: 50 })

test('killbill-1952: loading invoices does not load their lines, let alone the ids of their events', async () => {
  const { id } = await issue('plain')
  const reads: string[] = []
  const watched = { query: (text: string, values?: readonly unknown[]) => (reads.push(text), db.query<never>(text, values)) }
  await findInvoice(watched, id)
  await listInvoices(watched)
  assert.equal(reads.length, 2)
  for (const text of reads) assert.doesNotMatch(text, /content|usage_record|event_id/)
  await readInvoiceContent(watched, id)
  assert.doesNotMatch(reads.join(), /usage_record|event_id/)
})

test('invoiceMonth() issues a month for everybody, goes on where it was cut short, and changes nothing when it is repeated', async () => {
  // Some have theirs, and one whose invoice is void gets another.
  await issue('plain')
  await voidInvoice(db, { id: (await issue('voided')).id, at: ISSUED, by: 'me', reason: 'test' })
  const run = { action: 'issue', month: MONTH, at: ISSUED, by: 'me', prefix: 'RUN-' } as const
  const controller = new AbortController()
  let seen = 0
  for await (const _ of invoiceMonth(db, { ...run, signal: controller.signal })) {
    seen += 1
    if (seen === 3) controller.abort()
  }
  assert.equal(seen, 3)
  for await (const { outcome } of invoiceMonth(db, run)) assert.ok(['issued', 'exists', 'nothing'].includes(outcome), outcome)
  const before = await listInvoices(db, { limit: 1000 })
  for await (const { outcome } of invoiceMonth(db, run)) assert.notEqual(outcome, 'issued')
  assert.deepEqual(await listInvoices(db, { limit: 1000 }), before)
  const billed = new Set(before.filter(({ state }) => state !== 'void').map(({ organizationName }) => organizationName))
  assert.deepEqual(billed, new Set(names))
})

test('invoiceMonth() says of each whose invoice cannot be made why not, and goes on with the others', async () => {
  const { id } = await issue('corrected')
  await createCreditNote(db, {
    invoiceId: id,
    reason: 'test',
    lines: [{ line: 0, amount: nano('0.01') }],
    at: ISSUED,
    by: 'me',
    prefix: 'TAKEN-',
  })
  await db.query(`insert into organization (name) values ('new here')`)
  const outcomes: string[] = []
  const run = { action: 'issue', month: MONTH, at: ISSUED, by: 'me', prefix: 'TAKEN-' } as const
  const fresh = await issue('voided-again')
  assert.equal(await voidInvoice(db, { id: fresh.id, at: ISSUED, by: 'me', reason: 'test' }), 'done')
  for await (const { name, outcome } of invoiceMonth(db, run)) outcomes.push(`${name} ${outcome}`)
  assert.ok(outcomes.includes('voided-again failed'), outcomes.join())
  assert.equal(outcomes.at(-1), 'new here nothing')
  await issue('voided-again')
})

test('listInvoices() pages from the newest to the oldest without a gap', async () => {
  const all = await listInvoices(db, { limit: 1000 })
  const paged = []
  let after: string | undefined
  for (;;) {
    const page = await listInvoices(db, { limit: 7, ...(after === undefined ? {} : { after }) })
    paged.push(...page)
    after = page.at(-1)?.id
    if (page.length < 7) break
  }
  assert.deepEqual(paged, all)
})
