import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseError } from '@ascribe/postgres'
import { createOrganization, readStatement } from '../src/index.ts'
import { grantCredit, listCreditEntries, listCredits } from '../src/money/credits.ts'
import { expireCredits } from '../src/money/draw-credits.ts'
import { draftInvoice, issueInvoice } from '../src/money/issue-invoice.ts'
import { setBillingParty } from '../src/money/parties.ts'
import { findInvoice, listInvoices } from '../src/money/read-invoices.ts'
import { addTaxRule, endTaxRule, listTaxRules } from '../src/money/taxes.ts'
import { DAY, openInvoices } from './invoices-support.ts'
import type { Issued } from './invoices-support.ts'
import { ISSUED, nano } from './money-support.ts'
import { MONTH, TEN } from './support.ts'

// What an invoice holds: lines, credits, taxes, a number; and that it stays.

const {
  db,
  names: all,
  customer,
  issue,
  contentOf,
} = await openInvoices({
  customers: ['plain', 'taxed', 'trial', 'prepaid', 'drafted', 'parallel', 'free', 'national', 'renamed', 'late'],
  many: 50,
})

test('issueInvoice() bills the statement to the nano, rounds once, and shows the difference', async () => {
  const { id, number, total } = await issue('plain')
  const content = await contentOf(id)
  const statement = await readStatement(db, { organizationId: customer('plain').id, month: MONTH, scope: 'operator' })
  assert.equal(number, 'plain-000001')
  assert.equal(content.subtotal, statement?.total)
  assert.equal(content.subtotal, '24.691356')
  assert.equal(content.rounding, '-0.001356')
  assert.equal(content.total, '24.69')
  assert.equal(total, nano('24.69'))
  assert.deepEqual(
    content.lines,
    statement?.lines.map((line, index) => ({ ...line, line: index + 1, quantity: String(line.quantity) })),
  )
  assert.deepEqual([content.issued_at, content.due_at], ['2026-04-02T00:00:00Z', '2026-05-02T00:00:00Z'])
})

test('issueInvoice() gives an organization one invoice a month, however often and however much at once it is asked', async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => issue('parallel')))
  assert.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), [...Array.from({ length: 7 }, () => 'exists'), 'issued'])
  assert.deepEqual(new Set(outcomes.map(({ number }) => number)), new Set(['parallel-000001']))
})

test('issueInvoice() numbers fifty invoices at once without a gap, and what is rolled back takes no number', async () => {
  // Half of the organizations fail in the last statement of their first attempt.
  await db.query(`
    create function fail_half() returns trigger language plpgsql as $$
    begin
      if new.state = 'issued' and new.number like 'GAP-%' and ascii(substr(new.organization_id::text, 1, 1)) % 2 = 0 then
        raise exception 'no' using errcode = 'raise_exception';
      end if;
      return new;
    end $$;
    create trigger fail_half before update on invoice for each row execute function fail_half()`)
  const names = all.filter((name) => name.startsWith('many-'))
  const attempt = (): Promise<readonly PromiseSettledResult<Issued>[]> =>
    Promise.allSettled(names.map((name) => issue(name, { prefix: 'GAP-' })))
  const first = await attempt()
  await db.query('drop trigger fail_half on invoice')
  const failed = first.filter(({ status }) => status === 'rejected')
  assert.ok(failed.length > 0 && failed.length < names.length, `${failed.length} failed`)
  for (const each of failed) assert.ok(each.status === 'rejected' && each.reason instanceof DatabaseError)
  await attempt()
  const { rows } = await db.query<{ number: string }>(`select number from invoice where number like 'GAP-%' order by number`)
  assert.deepEqual(
    rows.map(({ number }) => number),
    names.map((_, index) => `GAP-${String(index + 1).padStart(6, '0')}`),
  )
})

test('issueInvoice() refuses a month that is open, and what has no lines', async () => {
  const { id } = customer('plain')
  assert.deepEqual(await issueInvoice(db, { organizationId: id, month: '2026-04', at: ISSUED, by: 'me' }), { outcome: 'open' })
  const idle = await createOrganization(db, { name: 'Idle' })
  assert.deepEqual(await issueInvoice(db, { organizationId: idle.id, month: MONTH, at: ISSUED, by: 'me' }), { outcome: 'nothing' })
  assert.deepEqual(await listInvoices(db, { organizationId: idle.id }), [])
  await assert.rejects(
    db.query(`update invoice set state = 'issued', number = 'X', issued_at = now(), due_at = now(), issued_by = 'me' where state = 'draft'
      and month = '2026-04-01'; insert into invoice (organization_id, month, currency, created_by, subtotal_nano, credits_nano, tax_nano,
      rounding_nano, total_nano, line_count, content, sha256) values ('${idle.id}', '2026-04-01', 'USD', 'me', 0, 0, 0, 0, 0, 0, '',
      repeat('0', 64)); update invoice set state = 'issued', number = 'X', issued_at = now(), due_at = now(), issued_by = 'me'
      where organization_id = '${idle.id}'`),
    /SQLSTATE 23001/,
  )
})

test('draftInvoice() shows what would be owed, draws nothing, and can be renewed; the invoice that follows keeps its id', async () => {
  const { id: organizationId } = customer('drafted')
  await grantCredit(db, { organizationId, amount: nano('5'), kind: 'prepaid', effectiveFrom: 0, by: 'test' })
  const first = await draftInvoice(db, { organizationId, month: MONTH, at: ISSUED, by: 'me' })
  const second = await draftInvoice(db, { organizationId, month: MONTH, at: ISSUED, by: 'me' })
  assert.ok(first.outcome === 'drafted' && second.outcome === 'drafted')
  assert.equal(first.id, second.id)
  assert.equal(first.total, nano('19.69'))
  assert.equal((await listCredits(db, { organizationId, at: ISSUED }))[0]?.balance, nano('5'))
  const [listed] = await listInvoices(db, { organizationId })
  assert.deepEqual([listed?.state, listed?.number, listed?.amountDue], ['draft', undefined, nano('19.69')])
  assert.equal((await issue('drafted')).id, first.id)
  assert.equal((await draftInvoice(db, { organizationId, month: MONTH, at: ISSUED, by: 'me' })).outcome, 'exists')
})

test('issueInvoice() draws a trial only for the days in which it ran, then books its end', async () => {
  const { id: organizationId } = customer('trial')
  await grantCredit(db, {
    organizationId,
    amount: nano('50'),
    kind: 'trial',
    effectiveFrom: TEN - DAY,
    expiresAt: TEN + 5 * DAY,
    by: 'test',
  })
  const content = await contentOf((await issue('trial')).id)
  assert.deepEqual([content.credits.length, content.credits_total, content.net], [1, '-12.345678', '12.345678'])
  assert.deepEqual(
    (await listCreditEntries(db, { organizationId })).map(({ kind, amount, at, invoiceNumber }) => [kind, amount, at, invoiceNumber]),
    [
      ['grant', nano('50'), TEN - DAY, undefined],
      ['draw', nano('-12.345678'), ISSUED, 'trial-000001'],
      ['expire', nano('-37.654322'), TEN + 5 * DAY, undefined],
    ],
  )
})

test('expireCredits() leaves a block alone while the invoice of its last month may draw from it, and ends it where nothing was used', async () => {
  const { id: organizationId } = customer('late')
  const idle = await createOrganization(db, { name: 'No usage' })
  const credit = { amount: nano('1'), kind: 'trial', effectiveFrom: TEN, expiresAt: TEN + DAY, by: 'test' } as const
  for (const id of [organizationId, idle.id]) await grantCredit(db, { ...credit, organizationId: id })
  await expireCredits(db, { at: ISSUED, by: 'clock' })
  const left = async (id: string): Promise<bigint | undefined> => (await listCredits(db, { organizationId: id, at: ISSUED }))[0]?.remaining
  assert.deepEqual([await left(organizationId), await left(idle.id)], [nano('1'), 0n])
  assert.equal((await contentOf((await issue('late')).id)).credits_total, '-1')
  assert.equal(await expireCredits(db, { at: ISSUED, by: 'clock' }), 0)
})

test('llmgateway-3705: usage beyond the credits never drives them below zero, and the rest is owed', async () => {
  const { id: organizationId } = customer('prepaid')
  await grantCredit(db, { organizationId, amount: nano('20'), costBasis: nano('16'), kind: 'prepaid', effectiveFrom: 0, by: 'test' })
  const content = await contentOf((await issue('prepaid')).id)
  assert.deepEqual([content.credits_total, content.net, content.total], ['-20', '4.691356', '4.69'])
  const [block] = await listCredits(db, { organizationId, at: ISSUED })
  assert.deepEqual([block?.balance, block?.state], [0n, 'spent'])
})

test('an invoice that credits pay whole comes to 0 and is paid at once', async () => {
  const { id: organizationId } = customer('free')
  await grantCredit(db, { organizationId, amount: nano('1000'), kind: 'promotional', effectiveFrom: 0, by: 'test' })
  const { id } = await issue('free')
  const invoice = await findInvoice(db, id)
  assert.deepEqual([invoice?.total, invoice?.state, invoice?.paymentReference, invoice?.amountDue], [0n, 'paid', 'nothing is due', 0n])
})

test('taxes are those of the organization, else of its country, each exact and rounded once', async () => {
  const [taxed, national] = [customer('taxed'), customer('national')]
  const party = { legalName: 'National', address: 'Street', country: 'FR', taxId: '', email: '', by: 'me' }
  await setBillingParty(db, { ...party, organizationId: national.id })
  await addTaxRule(db, {
    name: 'TVA',
    ratePercent: '20',
    organizationId: undefined,
    country: 'FR',
    note: '',
    effectiveFrom: '2026-01-01',
    by: 'me',
  })
  const old = await addTaxRule(db, {
    name: 'Old',
    ratePercent: '1',
    organizationId: undefined,
    country: 'FR',
    note: '',
    effectiveFrom: '2020-01-01',
    by: 'me',
  })
  assert.equal(await endTaxRule(db, { id: old.id, day: '2026-03-31' }), 'ended')
  assert.equal(await endTaxRule(db, { id: old.id, day: '2027-03-31' }), 'not_found')
  for (const [name, ratePercent] of [
    ['GST', '5'],
    ['PST', '7.25'],
  ] as const)
    await addTaxRule(db, {
      name,
      ratePercent,
      organizationId: taxed.id,
      country: undefined,
      note: 'of the province',
      effectiveFrom: '2026-03-31',
      by: 'me',
    })
  const own = await contentOf((await issue('taxed')).id)
  // 24.691356 × 5 % = 1.2345678, × 7.25 % = 1.79012331.
  assert.deepEqual(
    own.taxes.map(({ name, rate_percent, base, amount, note }) => [name, rate_percent, base, amount, note]),
    [
      ['GST', '5', '24.691356', '1.23', 'of the province'],
      ['PST', '7.25', '24.691356', '1.79', 'of the province'],
    ],
  )
  assert.deepEqual([own.tax_total, own.rounding, own.total], ['3.02', '-0.001356', '27.71'])
  const french = await contentOf((await issue('national', { at: Date.now() + 1000 })).id)
  assert.deepEqual([french.taxes.map(({ name }) => name), french.customer.country, french.total], [['TVA'], 'FR', '29.63'])
  assert.equal((await listTaxRules(db)).length, 4)
})

test('what is issued is frozen: later prices, names and taxes never alter it, and neither does SQL', async () => {
  const { id: organizationId } = customer('renamed')
  const party = { address: 'Street', country: '', taxId: '', email: '', by: 'me', organizationId }
  await setBillingParty(db, { ...party, legalName: 'Before' })
  const { id } = await issue('renamed', { at: Date.now() + 1000 })
  const [before, summary] = [await contentOf(id), await findInvoice(db, id)]
  await setBillingParty(db, { ...party, legalName: 'After' })
  assert.deepEqual(await contentOf(id), before)
  assert.equal(before.customer.name, 'Before')
  for (const change of [
    `content = '{}'`,
    'total_nano = 0, rounding_nano = 0',
    `number = 'X'`,
    `state = 'draft'`,
    `due_at = now()`,
    `month = '2026-01-01'`,
  ])
    await assert.rejects(db.query(`update invoice set ${change} where invoice_id = $1::uuid`, [id]), /SQLSTATE 23/, change)
  await assert.rejects(db.query('delete from invoice where invoice_id = $1::uuid', [id]), /SQLSTATE 23001/)
  assert.equal((await findInvoice(db, id))?.sha256, summary?.sha256)
})
