import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, closeMonth, createOrganization, mapAuthId, markRatedHours, rateDirtyHours } from '../src/index.ts'
import { APRIL, MARCH, MAY, close, dumpFrozen, lines } from './periods-support.ts'
import {
  BOOK,
  HOUR,
  createCustomer,
  deliver,
  openLedger,
  priceBook,
  rateAll,
  unknownRecord,
  usageRecord,
  assertSound,
  statementOf,
} from './support.ts'

const IN = { input_tokens: 1000 }

test('closeMonth() refuses a month that is not over, has dirty hours, held usage or writers that lag, and months out of order', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const attempt = async (month: string, options: { force?: boolean; lagging?: readonly string[] } = {}): Promise<object> =>
    closeMonth(db, { month, closedBy: 'ann', ...options })
  const now = new Date()
  const thisMonth = now.toISOString().slice(0, 7)
  assert.deepEqual(await attempt(thisMonth), { kind: 'not_over', end: Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) })
  await deliver(db, [
    usageRecord({ startedAt: MARCH }),
    unknownRecord({ startedAt: APRIL }),
    usageRecord({ startedAt: APRIL, authId: 'nobody' }),
  ])
  assert.deepEqual(await attempt('2026-04', { force: true }), { kind: 'dirty', hours: 2 })
  await rateAll(db)
  assert.deepEqual(await attempt('2026-04', { force: true }), { kind: 'earlier_open', month: '2026-03' })
  assert.deepEqual(await attempt('2026-03', { lagging: ['gateway-2'] }), { kind: 'lagging', writers: ['gateway-2'] })
  assert.deepEqual(await attempt('2026-03'), { kind: 'closed', month: '2026-03', lines: 0 })
  assert.deepEqual(await attempt('2026-03'), { kind: 'already_closed', month: '2026-03' })
  assert.deepEqual(await attempt('2026-02'), { kind: 'already_closed', month: '2026-02' })
  assert.deepEqual(await attempt('2026-04'), { kind: 'held', unpriced: 0n, unattributed: 1n, unknown: 1n })
  assert.deepEqual(await attempt('2026-04', { force: true }), { kind: 'closed', month: '2026-04', lines: 0 })
  // Months without usage in between are closed with the later one.
  assert.deepEqual(await attempt('2026-07'), { kind: 'closed', month: '2026-07', lines: 0 })
  const { rows } = await db.query<{ month: string }>(`select to_char(month, 'MM') as month from billing_period order by month`)
  assert.deepEqual(
    rows.map(({ month }) => month),
    ['03', '04', '05', '06', '07'],
  )
})

test('a late record of a closed month becomes an adjustment in the open one, and nothing that is closed changes', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: IN }), usageRecord({ startedAt: APRIL, meters: IN })])
  await close(db, '2026-03')
  const [closed, frozen] = [await statementOf(db, id, '2026-03'), await dumpFrozen(db)]
  assert.deepEqual([closed.provisional, closed.total], [false, '0.001'])
  await deliver(db, [
    usageRecord({ startedAt: MARCH + 1, meters: { input_tokens: 500 } }),
    usageRecord({ startedAt: MARCH + HOUR, meters: IN }),
  ])
  await rateAll(db)
  assert.deepEqual(await statementOf(db, id, '2026-03'), closed)
  assert.equal(await dumpFrozen(db), frozen)
  assert.deepEqual(await lines(db, id, '2026-04'), [
    'usage small input_tokens auth-1 1000 × 0.000001 = 0.001',
    'adjustment small input_tokens auth-1 1500 × 0.000001 = 0.0015 corrects 2026-03: records that came after the month was closed',
  ])
  const april = await statementOf(db, id, '2026-04')
  assert.deepEqual([april.total, april.provisional, april.lines[1]?.corrects], ['0.0025', true, '2026-03'])
  await assertSound(db)
  // Once more changes nothing, however often the hours are rated.
  await markRatedHours(db)
  await rateAll(db)
  assert.deepEqual(await statementOf(db, id, '2026-04'), april)
  // An adjustment is booked in the month that was open, and stays there.
  await close(db, '2026-04')
  await deliver(db, [usageRecord({ startedAt: MARCH + 2, meters: { input_tokens: 7 } })])
  await rateAll(db)
  assert.deepEqual(await statementOf(db, id, '2026-04'), { ...april, provisional: false })
  assert.equal((await statementOf(db, id, '2026-05')).total, '0.000007')
  await assertSound(db)
})

test('a mapping that is corrected after the close moves money by a negative line of the one and a positive line of the other', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const other = await createOrganization(db, { name: 'Other' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: IN })])
  await close(db, '2026-03')
  await mapAuthId(db, { authId: 'auth-1', organizationId: other.id, from: MARCH - HOUR, correct: true })
  await rateAll(db)
  assert.equal((await statementOf(db, acme.id, '2026-03')).total, '0.001')
  assert.equal((await statementOf(db, acme.id, '2026-04')).total, '-0.001')
  assert.equal((await statementOf(db, other.id, '2026-04')).total, '0.001')
  assert.match(
    (await lines(db, acme.id, '2026-04'))[0] ?? '',
    /^adjustment small input_tokens auth-1 -1000 × 0\.000001 = -0\.001 corrects 2026-03/,
  )
  // And back again, twice corrected: everybody is where they were, and nothing was lost on the way.
  await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id, from: MARCH - HOUR, correct: true })
  await rateAll(db)
  assert.deepEqual(await lines(db, acme.id, '2026-04'), [])
  assert.deepEqual(await lines(db, other.id, '2026-04'), [])
  await assertSound(db)
})

test('usage that was held when its month was closed is charged by adjustments once it has a price', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: IN }), usageRecord({ startedAt: MARCH, meters: IN, model: 'new' })])
  await close(db, '2026-03', { force: true })
  const text = BOOK.replace('large:', 'new:')
  await applyPriceBook(db, priceBook({ text, supplement: {} }))
  await rateAll(db)
  assert.equal((await statementOf(db, id, '2026-03')).total, '0.001')
  assert.deepEqual(await lines(db, id, '2026-04'), [
    'adjustment new input_tokens auth-1 1000 × 0.00001 = 0.01 corrects 2026-03: usage that got a price',
  ])
  await assertSound(db)
})

test('the database itself refuses to change what is closed', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: IN }), usageRecord({ startedAt: APRIL, meters: IN })])
  await close(db, '2026-03')
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: IN })])
  await rateAll(db)
  for (const sql of [
    'update charge set amount_nano = 0',
    'delete from charge',
    `insert into charge select * from charge where hour < '2026-04-01T00:00:00Z'`,
    'update adjustment set amount_nano = 0',
    'delete from adjustment',
    'delete from billing_period',
    'delete from statement_line',
  ]) {
    await assert.rejects(db.query(sql), { code: 'DATABASE_DATA' }, sql)
  }
  // April is open.
  await db.query(`delete from charge where hour >= '2026-04-01T00:00:00Z'`)
})

test('raters at work at the same time, in closed months and open ones, leave what one alone leaves', async () => {
  const dump = async (raters: number): Promise<string> => {
    await using db = await openLedger()
    const organization = await createOrganization(db, { name: 'Acme' })
    await mapAuthId(db, { authId: 'auth-1', organizationId: organization.id })
    await applyPriceBook(db, priceBook({ text: TIERED }))
    const records = (at: number): ReturnType<typeof usageRecord>[] =>
      Array.from({ length: 40 }, (_, index) =>
        usageRecord({ startedAt: at + (index % 8) * HOUR + index, meters: { input_tokens: 5, images: 3 } }),
      )
    await deliver(db, [...records(MARCH), ...records(APRIL)])
    await close(db, '2026-03')
    await deliver(db, [...records(MARCH + 100), ...records(APRIL + 100), ...records(MAY)])
    const summaries = await Promise.all(Array.from({ length: raters }, () => rateDirtyHours(db)))
    assert.equal(
      summaries.reduce((sum, { hours }) => sum + hours, 0),
      24,
    )
    await assertSound(db)
    const { rows } = await db.query<{ line: string }>(
      `select line from (
         select 'c ' || (to_jsonb(c) - 'organization_id')::text as line from charge c
         union all select 'q ' || (to_jsonb(q) - 'organization_id')::text from period_quantity q
         union all select 'a ' || (to_jsonb(a) - 'organization_id' - 'adjustment_id' - 'created_at' - 'records_digest')::text from adjustment a
         union all select 'l ' || (to_jsonb(l) - 'organization_id')::text from statement_line l
       ) t order by line collate "C"`,
    )
    return rows.map(({ line }) => line.replaceAll(/"records_digest": "\d+"/g, '')).join('\n')
  }
  assert.equal(await dump(4), await dump(1))
})

const TIERED = `version: 1
base_models:
  small:
    prompt: "0.000001"
    cached: "0.0000001"
    completion: "0.000002"
    meters: { images: { mode: graduated, tiers: [{ up_to: 100, price: "0.03" }, { price: "0.01" }] } }
`
