import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCreditNote, listCreditNotes, readCreditNote } from '../src/money/credit-notes.ts'
import { grantCredit, listCreditEntries, listCredits } from '../src/money/credits.ts'
import { findInvoice } from '../src/money/read-invoices.ts'
import { payInvoice, voidInvoice } from '../src/money/settle-invoice.ts'
import { addTaxRule } from '../src/money/taxes.ts'
import { DAY, openInvoices } from './invoices-support.ts'
import { ISSUED, nano } from './money-support.ts'

// How an invoice ends: paid, void, or credited.

const { db, customer, issue } = await openInvoices({ customers: ['voided', 'noted', 'abandoned', 'paid', 'paid-then-credited'] })

test('payInvoice() marks an invoice as paid, once', async () => {
  const { id } = await issue('paid')
  assert.equal((await findInvoice(db, id))?.amountDue, nano('24.69'))
  assert.equal(await payInvoice(db, { id, at: ISSUED + DAY, by: 'me', reference: 'wire 7' }), 'done')
  assert.equal(await payInvoice(db, { id, at: ISSUED + DAY, by: 'me' }), 'paid')
  assert.equal(await voidInvoice(db, { id, at: ISSUED, by: 'me', reason: 'no' }), 'paid')
  const invoice = await findInvoice(db, id)
  assert.deepEqual([invoice?.state, invoice?.amountDue, invoice?.paymentReference], ['paid', 0n, 'wire 7'])
})

test('who has paid an invoice that is credited afterwards is owed it: it is not simply paid', async () => {
  const { id } = await issue('paid-then-credited')
  const partly = await createCreditNote(db, {
    invoiceId: id,
    reason: 'late',
    lines: [{ line: 0, amount: nano('4') }],
    at: ISSUED,
    by: 'me',
  })
  const due = nano('24.69') - partly.total
  assert.equal((await findInvoice(db, id))?.amountDue, due)
  await payInvoice(db, { id, at: ISSUED + DAY, by: 'me' })
  assert.equal((await findInvoice(db, id))?.amountDue, 0n, 'what was credited before was never paid')
  const rest = await createCreditNote(db, { invoiceId: id, reason: 'all of it', lines: 'all', at: ISSUED + 2 * DAY, by: 'me' })
  assert.equal(rest.total, due)
  assert.equal((await findInvoice(db, id))?.amountDue, -due)
})

test('voidInvoice() gives credits back, keeps the number, and makes room for another invoice of the month', async () => {
  const { id: organizationId } = customer('voided')
  await grantCredit(db, { organizationId, amount: nano('20'), kind: 'prepaid', effectiveFrom: 0, by: 'test' })
  const first = await issue('voided')
  assert.equal(await voidInvoice(db, { id: first.id, at: ISSUED + DAY, by: 'me', reason: 'wrong address' }), 'done')
  assert.equal((await listCredits(db, { organizationId, at: ISSUED + DAY }))[0]?.balance, nano('20'))
  const second = await issue('voided', { at: ISSUED + 2 * DAY })
  assert.deepEqual([first.number, second.number], ['voided-000001', 'voided-000002'])
  const voided = await findInvoice(db, first.number)
  assert.deepEqual([voided?.state, voided?.amountDue, voided?.voidReason], ['void', 0n, 'wrong address'])
  assert.deepEqual(
    (await listCreditEntries(db, { organizationId })).map(({ kind, invoiceNumber }) => [kind, invoiceNumber]),
    [
      ['grant', undefined],
      ['draw', 'voided-000001'],
      ['return', 'voided-000001'],
      ['draw', 'voided-000002'],
    ],
  )
})

test('createCreditNote() credits lines and the rest, never more than the invoice, and comes to its total in the end', async () => {
  const { id: organizationId } = customer('noted')
  await addTaxRule(db, {
    name: 'VAT',
    ratePercent: '19',
    organizationId,
    country: undefined,
    note: '',
    effectiveFrom: '2026-01-01',
    by: 'me',
  })
  const { id, number, total } = await issue('noted')
  const note = (lines: Parameters<typeof createCreditNote>[1]['lines']): ReturnType<typeof createCreditNote> =>
    createCreditNote(db, { invoiceId: id, reason: 'outage', lines, at: ISSUED + DAY, by: 'me', prefix: 'noted-cn-' })
  await assert.rejects(note([{ line: 1, amount: nano('25') }]), /line 1 is 24.691356 USD, and 25 of it/)
  await assert.rejects(note([{ line: 9, amount: 1n }]), /no line 9/)
  await assert.rejects(note([{ line: 1, amount: 1n }]), /nothing after rounding/)
  const first = await note([{ line: 1, amount: nano('10.005') }])
  assert.deepEqual([first.net, first.tax, first.total], [nano('10.005'), nano('1.9'), nano('11.91')])
  await assert.rejects(note([{ line: 1, amount: nano('14.7') }]), /of it would be credited/)
  const rest = await note('all')
  assert.equal(first.total + rest.total, total)
  assert.equal((await findInvoice(db, number))?.amountDue, 0n)
  await assert.rejects(note('all'), /nothing of the invoice is left/)
  assert.equal(await voidInvoice(db, { id, at: ISSUED, by: 'me', reason: 'no' }), 'credited')
  assert.deepEqual(
    (await listCreditNotes(db, id)).map((each) => each.number),
    ['noted-cn-000001', 'noted-cn-000002'],
  )
  const document = await readCreditNote(db, first.number)
  assert.deepEqual(
    [document?.invoice, document?.reason, document?.total, document?.lines[0]?.what],
    [number, 'outage', '11.91', 'small · input_tokens · auth-noted'],
  )
})

test('createCreditNote(): twenty at once never exceed the invoice', async () => {
  const { id, total } = await issue('abandoned')
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () =>
      createCreditNote(db, {
        invoiceId: id,
        reason: 'goodwill',
        lines: [{ line: 0, amount: nano('3') }],
        at: ISSUED,
        by: 'me',
        prefix: 'ab-',
      }),
    ),
  )
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 8)
  const notes = await listCreditNotes(db, id)
  assert.ok(notes.reduce((sum, { total: credited }) => sum + credited, 0n) <= total)
  assert.deepEqual(
    notes.map(({ number }) => number),
    notes.map((_, index) => `ab-${String(index + 1).padStart(6, '0')}`),
  )
})
