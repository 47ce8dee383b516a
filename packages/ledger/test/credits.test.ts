import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createOrganization } from '../src/index.ts'
import { drawCredit, returnCredits } from '../src/money/draw-credits.ts'
import { grantCredit, listCreditEntries, listCredits, voidCredit } from '../src/money/credits.ts'
import type { CreditEntry, NewCredit } from '../src/money/credits.ts'
import { ISSUED, nano, openMoneyLedger } from './money-support.ts'
import { TEN } from './support.ts'

let db: TestDatabase
before(async () => {
  db = await openMoneyLedger()
})
after(() => db[Symbol.asyncDispose]())

async function organization(): Promise<string> {
  return (await createOrganization(db, { name: 'Acme' })).id
}

/** A draft that draws may name. */
async function draft(organizationId: string, month = '2026-03-01'): Promise<string> {
  const { rows } = await db.query<{ invoice_id: string }>(
    `insert into invoice (organization_id, month, currency, created_by, subtotal_nano, credits_nano, tax_nano, rounding_nano, total_nano,
       line_count, content, sha256)
     values ($1::uuid, $2::date, 'USD', 'test', 0, 0, 0, 0, 0, 0, '', repeat('0', 64)) returning invoice_id`,
    [organizationId, month],
  )
  return rows[0]?.invoice_id ?? ''
}

async function grant(organizationId: string, fields: Partial<NewCredit> = {}): Promise<string> {
  const credit: NewCredit = { organizationId, amount: nano('10'), kind: 'prepaid', effectiveFrom: TEN, by: 'test', ...fields }
  return (await grantCredit(db, credit)).id
}

const entries = async (organizationId: string): Promise<readonly (readonly [CreditEntry['kind'], bigint, bigint])[]> =>
  (await listCreditEntries(db, { organizationId })).map(({ kind, amount, balanceAfter }) => [kind, amount, balanceAfter])

test('grantCredit() books a block once however often it is sent, and tells another block of that id apart', async () => {
  const organizationId = await organization()
  const id = 'b7a9d0f2-3d7c-4f7e-9a41-0d8a8f6f1c01'
  const credit: NewCredit = {
    id,
    organizationId,
    amount: nano('12.5'),
    costBasis: nano('10'),
    kind: 'prepaid',
    effectiveFrom: TEN,
    by: 'me',
  }
  const outcomes = await Promise.all([grantCredit(db, credit), grantCredit(db, credit), grantCredit(db, credit)])
  assert.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), ['exists', 'exists', 'granted'])
  assert.equal((await grantCredit(db, { ...credit, amount: nano('13') })).outcome, 'conflict')
  const [block] = await listCredits(db, { organizationId, at: TEN })
  assert.deepEqual([block?.balance, block?.perUnitCostBasis, block?.state], [nano('12.5'), '0.8', 'active'])
  assert.deepEqual(await entries(organizationId), [['grant', nano('12.5'), nano('12.5')]])
})

test('grantCredit() refuses amounts and times that make no block, and organizations that do not exist', async () => {
  const organizationId = await organization()
  const credit: NewCredit = { organizationId, amount: 1n, kind: 'trial', effectiveFrom: TEN, by: 'me' }
  const refused = (fields: Partial<NewCredit>, why: RegExp): Promise<void> => assert.rejects(grantCredit(db, { ...credit, ...fields }), why)
  await refused({ amount: 0n }, /not positive/)
  await refused({ costBasis: -1n }, /negative/)
  await refused({ expiresAt: TEN }, /expire before/)
  await refused({ organizationId: 'b7a9d0f2-3d7c-4f7e-9a41-0d8a8f6f1c99' }, /no organization/)
})

test('one-api-2440: a deduction is conditional on the balance, also when twenty come at once', async () => {
  const organizationId = await organization()
  const blockId = await grant(organizationId, { amount: nano('10') })
  const invoices = await Promise.all(Array.from({ length: 20 }, async (_, index) => draft(organizationId, `20${30 + index}-01-01`)))
  const outcomes = await Promise.all(
    invoices.map((invoiceId) => drawCredit(db, { blockId, amount: nano('3'), invoiceId, at: ISSUED, by: 'test' })),
  )
  assert.equal(outcomes.filter((outcome) => outcome === 'drawn').length, 3)
  const [block] = await listCredits(db, { organizationId, at: ISSUED })
  assert.equal(block?.balance, nano('1'))
  assert.ok((await listCreditEntries(db, { organizationId })).every(({ balanceAfter }) => balanceAfter >= 0n))
})

test('new-api-6609: balance check and deduction cannot interleave, for the database refuses what would be below zero', async () => {
  const organizationId = await organization()
  const blockId = await grant(organizationId, { amount: nano('1') })
  await assert.rejects(
    db.query('update credit_block set remaining_nano = remaining_nano - $2::numeric where credit_block_id = $1::uuid', [
      blockId,
      nano('2'),
    ]),
    /check/,
  )
})

test('autumn-cache-eviction: what is left of a block is its entries: no deduction can be lost with a balance that is kept elsewhere', async () => {
  const organizationId = await organization()
  const [blockId, invoiceId] = [await grant(organizationId), await draft(organizationId)]
  await assert.rejects(
    db.query(`update credit_block set remaining_nano = 0 where credit_block_id = $1::uuid`, [blockId]),
    /SQLSTATE 23514/,
    'a balance without its entry',
  )
  await assert.rejects(
    db.query(
      `insert into credit_entry (credit_block_id, kind, amount_nano, at, invoice_id, created_by) values ($1::uuid, 'draw', -1, now(), $2::uuid, 'me')`,
      [blockId, invoiceId],
    ),
    /SQLSTATE 23514/,
    'an entry without its balance',
  )
})

test('codex-46608: every deduction names its execution', async () => {
  const organizationId = await organization()
  const [blockId, invoiceId] = [await grant(organizationId), await draft(organizationId)]
  await drawCredit(db, { blockId, amount: nano('4'), invoiceId, at: ISSUED, by: 'test' })
  const drawn = (await listCreditEntries(db, { organizationId, blockId })).find(({ kind }) => kind === 'draw')
  assert.equal(drawn?.invoiceId, invoiceId)
  await assert.rejects(
    db.query(`insert into credit_entry (credit_block_id, kind, amount_nano, at, created_by) values ($1::uuid, 'draw', -1, now(), 'me')`, [
      blockId,
    ]),
    /SQLSTATE 23514/,
  )
  await assert.rejects(db.query('delete from credit_entry'), /SQLSTATE 23001/)
})

test('bifrost-2683: a prepaid balance has no periodic reset', async () => {
  const organizationId = await organization()
  await grant(organizationId, { amount: nano('7') })
  for (const at of [TEN, Date.UTC(2026, 3, 1), Date.UTC(2027, 0, 1), Date.UTC(2036, 0, 1)]) {
    const [block] = await listCredits(db, { organizationId, at })
    assert.equal(block?.balance, nano('7'))
  }
})

test('listCredits() gives the balance as of an instant: before, while and after a block is in force, and between its draws', async () => {
  const organizationId = await organization()
  const [end, drawnAt] = [Date.UTC(2026, 5, 1), Date.UTC(2026, 3, 2)]
  const [blockId, invoiceId] = [await grant(organizationId, { expiresAt: end }), await draft(organizationId)]
  await drawCredit(db, { blockId, amount: nano('4'), invoiceId, at: drawnAt, by: 'test' })
  const balances = []
  for (const at of [TEN - 1, TEN, drawnAt - 1, drawnAt, end - 1, end]) {
    const [block] = await listCredits(db, { organizationId, at })
    balances.push([block?.state, block?.balance])
  }
  assert.deepEqual(balances, [
    ['scheduled', 0n],
    ['active', nano('10')],
    ['active', nano('10')],
    ['active', nano('6')],
    ['active', nano('6')],
    ['expired', 0n],
  ])
})

test('voidCredit() takes back what is left, once', async () => {
  const organizationId = await organization()
  const [blockId, invoiceId] = [await grant(organizationId), await draft(organizationId)]
  await drawCredit(db, { blockId, amount: nano('4'), invoiceId, at: ISSUED, by: 'test' })
  const outcomes = await Promise.all([1, 2, 3].map(() => voidCredit(db, { blockId, at: ISSUED, reason: 'by mistake', by: 'me' })))
  assert.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), ['already_void', 'already_void', 'voided'])
  assert.deepEqual(await entries(organizationId), [
    ['grant', nano('10'), nano('10')],
    ['draw', nano('-4'), nano('6')],
    ['void', nano('-6'), 0n],
  ])
  assert.equal(
    await drawCredit(db, { blockId, amount: 1n, invoiceId: await draft(organizationId, '2026-05-01'), at: ISSUED, by: 'me' }),
    'insufficient',
  )
  // What comes back to a void block is void.
  await returnCredits(db, { invoiceId, at: ISSUED + 1, reason: 'void', by: 'me' })
  assert.deepEqual((await entries(organizationId)).slice(-2), [
    ['return', nano('4'), nano('4')],
    ['void', nano('-4'), 0n],
  ])
})

test('a credit block changes in nothing but what is left of it', async () => {
  const blockId = await grant(await organization())
  for (const change of [`amount_nano = amount_nano + 1`, `expires_at = now()`, `currency = 'EUR'`, `cost_basis_nano = 1`]) {
    await assert.rejects(
      db.query(`update credit_block set ${change} where credit_block_id = $1::uuid`, [blockId]),
      /SQLSTATE 23001/,
      change,
    )
  }
  await assert.rejects(db.query('delete from credit_block'), /SQLSTATE 23001/)
})
