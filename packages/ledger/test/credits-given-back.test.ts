import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { applyPriceBook, voidRecords } from '../src/index.ts'
import {
  draftInvoice,
  expireCredits,
  findInvoice,
  grantCredit,
  issueInvoice,
  listCredits,
  streamExportRows,
  voidInvoice,
} from '../src/money.ts'
import type { InvoiceOutcome, InvoiceSummary } from '../src/money.ts'
import { nano } from './money-support.ts'
import { APRIL, MARCH, MAY, close } from './periods-support.ts'
import { HOUR, createCustomer, deliver, openLedger, priceBook, usageRecord } from './support.ts'

/*
 * Given credits never become money: what they paid for and what is corrected afterwards goes back to them, and the customer is owed what it
 * paid itself. 1,000,000 input tokens are 1 USD.
 */

type Customer = { readonly db: Database; readonly id: string }

async function customerOf(db: Database, credit: { readonly amount: string; readonly expiresAt?: number }): Promise<Customer> {
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const { amount, ...until } = credit
  await grantCredit(db, { organizationId: id, amount: nano(amount), kind: 'trial', effectiveFrom: 0, by: 'test', ...until })
  return { db, id }
}

/** Usage of so many USD. */
async function use({ db }: Customer, startedAt: number, amount: number): Promise<string> {
  const record = usageRecord({ startedAt, meters: { input_tokens: amount * 1_000_000 } })
  await deliver(db, [record])
  return record.eventId
}

async function takeBack({ db }: Customer, eventId: string): Promise<void> {
  await voidRecords(db, { eventIds: [eventId], actor: 'test', reason: 'never happened' })
}

function issue({ db, id }: Customer, month: string): Promise<InvoiceOutcome> {
  return issueInvoice(db, { organizationId: id, month, at: Date.UTC(2026, 6, 1), by: 'test' })
}

/** Closes and bills a month, and gives its invoice. */
async function bill(customer: Customer, month: string): Promise<InvoiceSummary> {
  await close(customer.db, month)
  const outcome = await issue(customer, month)
  assert.equal(outcome.outcome, 'issued')
  const invoice = await findInvoice(customer.db, outcome.outcome === 'issued' ? outcome.id : '')
  assert.ok(invoice)
  return invoice
}

async function left({ db, id }: Customer): Promise<bigint> {
  return (await listCredits(db, { organizationId: id, at: Date.UTC(2026, 7, 1) })).reduce((sum, { remaining }) => sum + remaining, 0n)
}

test('credits that paid for usage that was voided afterwards come back, and never become money', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100' })
  const mistaken = await use(customer, MARCH, 10)
  assert.equal((await bill(customer, '2026-03')).total, 0n)
  assert.equal(await left(customer), nano('90'))
  await takeBack(customer, mistaken)
  await use(customer, APRIL, 3)
  const april = await bill(customer, '2026-04')
  assert.deepEqual([april.subtotal, april.credits, april.total, april.state], [nano('-7'), nano('7'), 0n, 'paid'])
  // As if the 3 of April had been all there ever was.
  assert.equal(await left(customer), nano('97'))
  let exported = 0n
  for await (const row of streamExportRows(db, { from: Date.UTC(2026, 3, 1), to: Date.UTC(2026, 4, 1), select: 'invoiced' }))
    exported += row.amount
  assert.equal(exported, 0n)
})

test('of usage that credits paid in part, the customer is owed first what it paid itself', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100' })
  const [, mistaken] = [await use(customer, MARCH, 90), await use(customer, MARCH + HOUR, 60)]
  assert.equal((await bill(customer, '2026-03')).total, nano('50'))
  await takeBack(customer, mistaken)
  const april = await bill(customer, '2026-04')
  assert.deepEqual([april.subtotal, april.credits, april.total], [nano('-60'), nano('10'), nano('-50')])
  assert.equal(await left(customer), nano('10'))
})

test('what was given back is never given back again: not by the next correction, by a draft, nor after the invoice was void', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100' })
  const [one, two] = [await use(customer, MARCH, 40), await use(customer, MARCH + HOUR, 60)]
  await bill(customer, '2026-03')
  await takeBack(customer, one)
  await close(db, '2026-04')
  const request = { organizationId: customer.id, month: '2026-04', at: Date.UTC(2026, 6, 1), by: 'test' }
  assert.equal((await draftInvoice(db, request)).outcome, 'drafted')
  assert.equal(await left(customer), 0n)
  const outcomes = await Promise.all([issue(customer, '2026-04'), issue(customer, '2026-04')])
  assert.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), ['exists', 'issued'])
  assert.equal(await left(customer), nano('40'))
  // Paid at once, for nothing is due; so take one that is not.
  await takeBack(customer, two)
  await use(customer, MAY, 5)
  const may = await bill(customer, '2026-05')
  assert.deepEqual([may.subtotal, may.credits, may.total], [nano('-55'), nano('55'), 0n])
  assert.equal(await left(customer), nano('95'))
})

test('an invoice that gave credits back takes them again when it becomes void, unless they are spent', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100' })
  const [, mistaken] = [await use(customer, MARCH, 90), await use(customer, MARCH + HOUR, 60)]
  await bill(customer, '2026-03')
  await takeBack(customer, mistaken)
  const april = await bill(customer, '2026-04')
  const undo = (id: string): Promise<string> => voidInvoice(db, { id, at: Date.UTC(2026, 6, 1), by: 'test', reason: 'again' })
  assert.equal(await undo(april.id), 'done')
  assert.equal(await left(customer), 0n)
  const again = await issue(customer, '2026-04')
  assert.equal(again.outcome === 'issued' && again.total, nano('-50'))
  assert.equal(await left(customer), nano('10'))
  await use(customer, MAY, 8)
  await bill(customer, '2026-05')
  await assert.rejects(undo(again.outcome === 'issued' ? again.id : ''), { code: 'CREDIT_CONFLICT' })
  assert.equal(await left(customer), nano('2'))
})

test('a late record that credits paid and that is voided afterwards never becomes money, though its month was never billed', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100' })
  await use(customer, APRIL, 1)
  await bill(customer, '2026-04')
  const late = await use(customer, MARCH, 2)
  assert.equal((await bill(customer, '2026-05')).credits, nano('-2'))
  await takeBack(customer, late)
  const june = await bill(customer, '2026-06')
  assert.deepEqual([june.subtotal, june.credits, june.total], [nano('-2'), nano('2'), 0n])
  assert.equal(await left(customer), nano('99'))
})

test('what comes back to credits that have expired expires again', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100', expiresAt: MARCH + 10 * HOUR })
  const mistaken = await use(customer, MARCH, 10)
  await bill(customer, '2026-03')
  assert.equal(await left(customer), 0n)
  await takeBack(customer, mistaken)
  assert.equal((await bill(customer, '2026-04')).total, 0n)
  assert.equal(await left(customer), 0n)
})

test('a correction of usage that no credits paid is owed to the customer', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '5' })
  const mistaken = await use(customer, MARCH, 10)
  await bill(customer, '2026-03')
  await use(customer, APRIL, 3)
  await grantCredit(db, { organizationId: customer.id, amount: nano('50'), kind: 'prepaid', effectiveFrom: APRIL - HOUR, by: 'test' })
  assert.equal((await bill(customer, '2026-04')).credits, nano('-3'))
  await takeBack(customer, mistaken)
  const may = await bill(customer, '2026-05')
  assert.deepEqual([may.credits, may.total], [nano('5'), nano('-5')])
})

test('a block never expires before the invoice of its last month, also where that month has nothing but corrections', async () => {
  await using db = await openLedger({ fresh: true })
  const customer = await customerOf(db, { amount: '100', expiresAt: Date.UTC(2026, 4, 1) })
  await use(customer, MARCH, 10)
  await bill(customer, '2026-03')
  await use(customer, MARCH + HOUR, 5)
  await close(db, '2026-04')
  assert.equal(await expireCredits(db, { at: Date.UTC(2026, 6, 1), by: 'clock' }), 0)
  assert.equal((await issue(customer, '2026-04')).outcome, 'issued')
  const april = await findInvoice(db, 'INV-000002')
  assert.deepEqual([april?.subtotal, april?.credits], [nano('5'), nano('-5')])
  assert.equal(await left(customer), 0n)
})
