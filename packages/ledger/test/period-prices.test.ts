import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, createOrganization, dryRun, mapAuthId, readStatement, streamLineRecords, usageReport } from '../src/index.ts'
import { APRIL, MARCH, MAY, close, dumpFrozen, lines } from './periods-support.ts'
import { BOOK, HOUR, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord, assertSound, statementOf } from './support.ts'

/** 0.03 for the first 100 images of a month, then 0.01; output in blocks of 1000 tokens at 0.5, 2000 tokens included. */
const TIERED = `version: 1
base_models:
  small:
    prompt: "0.000001"
    cached: "0.0000001"
    completion: { package: 1000, price: "0.5", included: 2000 }
    meters: { images: { mode: graduated, tiers: [{ up_to: 100, price: "0.03" }, { price: "0.01" }] } }
`

function images(startedAt: number, count: number, authId = 'auth-1'): ReturnType<typeof usageRecord> {
  return usageRecord({ startedAt, authId, meters: { images: count } })
}

test('readStatement() prices tiers, packages and included quantities by the total of the month, over all keys and hours', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await mapAuthId(db, { authId: 'auth-2', organizationId: id })
  await applyPriceBook(db, priceBook({ text: TIERED }))
  await deliver(db, [
    images(MARCH, 60),
    images(MARCH + HOUR, 30, 'auth-2'),
    images(MARCH + 3 * HOUR, 35),
    usageRecord({ startedAt: MARCH, meters: { input_tokens: 1000, output_tokens: 1500, reasoning_tokens: 700 } }),
    usageRecord({ startedAt: MARCH + HOUR, meters: { output_tokens: 900 } }),
  ])
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), [
    'usage small input_tokens auth-1 1000 × 0.000001 = 0.001',
    'tier small images 100 × 0.03 = 3 tier 1 of 2: 1 to 100',
    'tier small images 25 × 0.01 = 0.25 tier 2 of 2: above 100',
    'included small output_tokens 2000 × 0 = 0 of 2000 included',
    'package small output_tokens 2 × 0.5 = 1 blocks of 1000',
  ])
  const { total, provisional, held } = await statementOf(db, id, '2026-03')
  assert.deepEqual([total, provisional, held.unpriced], ['4.251', true, 0])
  await assertSound(db)
})

test('streamLineRecords() leads from a line of the month to its records, late ones included', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED }))
  const records = [images(MARCH, 60), images(MARCH + 3 * HOUR, 1)]
  const late = images(MARCH + 5 * HOUR, 2)
  await deliver(db, [...records, usageRecord({ startedAt: MARCH, meters: { input_tokens: 1 } })])
  await close(db, '2026-03')
  await deliver(db, [late])
  await rateAll(db)
  const found = await Array.fromAsync(streamLineRecords(db, { organizationId, month: '2026-03', model: 'small', meter: 'images' }))
  assert.deepEqual(
    found.map(({ record }) => record.eventId),
    [...records, late].map(({ eventId }) => eventId),
  )
})

test('a meter that the total of the month prices is never an hourly charge, not even one of 0', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED }))
  await deliver(db, [images(MARCH, 60)])
  await rateAll(db)
  assert.equal((await db.query('select from charge')).rowCount, 0)
  assert.equal((await db.query('select from period_quantity where quantity = 60')).rowCount, 1)
})

test('usageReport() says which quantities have no amount because the total of the month prices them', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED }))
  await deliver(db, [images(MARCH, 60), images(MARCH + 40 * 60_000, 7), usageRecord({ startedAt: MARCH, meters: { input_tokens: 1000 } })])
  await rateAll(db)
  const report = async (to: number, by: readonly ('model' | 'meter')[]): Promise<unknown> =>
    (await usageReport(db, { organizationId, from: MARCH, to, by }))?.rows.map(({ key, amount, pricedByMonth }) => [
      ...Object.values(key),
      amount,
      pricedByMonth,
    ])
  assert.deepEqual(await report(MARCH + HOUR, ['model']), [['small', 1_000_000n, { images: 67n }]])
  // Part of an hour: counted from its records.
  assert.deepEqual(await report(MARCH + 30 * 60_000, ['model']), [['small', 1_000_000n, { images: 60n }]])
  assert.deepEqual(await report(MARCH + HOUR, ['meter']), [
    ['images', 0n, { images: 67n }],
    ['input_tokens', 1_000_000n, {}],
  ])
})

test('closing a month freezes its lines; a late record that moves a tier is adjusted to what the month would be', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED.replace('graduated', 'volume') }))
  await deliver(db, [images(MARCH, 90), images(APRIL, 10)])
  await close(db, '2026-03')
  const [march, frozen] = [await statementOf(db, id, '2026-03'), await dumpFrozen(db)]
  assert.deepEqual([march.total, march.provisional], ['2.7', false])
  await deliver(db, [images(MARCH + HOUR, 20)])
  await rateAll(db)
  assert.deepEqual(await statementOf(db, id, '2026-03'), march)
  assert.equal(await dumpFrozen(db), frozen)
  // 110 images at 0.01 are 1.1: 1.6 comes back.
  assert.deepEqual(await lines(db, id, '2026-04'), [
    'tier small images 10 × 0.03 = 0.3 all at tier 1 of 2: 1 to 100',
    'adjustment small images 110 × 0.01 = 1.1 corrects 2026-03, all at tier 2 of 2: above 100: records that came after the month was closed',
    'adjustment small images -90 × 0.03 = -2.7 corrects 2026-03, all at tier 1 of 2: 1 to 100: records that came after the month was closed',
  ])
  assert.equal((await statementOf(db, id, '2026-04')).total, '-1.3')
  const again = `insert into adjustment select gen_random_uuid(), date '2026-02-01', null, date '2026-03-01', kind, organization_id, auth_id, user_id,
    group_id, resource_id, model, base_model, meter, price_sequence, rate, quantity, amount_nano, record_count, records_digest, description, cause
    from adjustment limit 1`
  await assert.rejects(db.query(again), /SQLSTATE 23001/)
  await assertSound(db)
})

test('a new version within the month goes on where the one before left off', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED }))
  await applyPriceBook(db, priceBook({ text: TIERED.replace('"0.01"', '"0.02"'), effectiveFrom: MARCH + HOUR }))
  await deliver(db, [images(MARCH + HOUR - 1, 90), images(MARCH + HOUR, 30)])
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), [
    'tier small images 90 × 0.03 = 2.7 tier 1 of 2: 1 to 100',
    'tier small images 10 × 0.03 = 0.3 tier 1 of 2: 1 to 100',
    'tier small images 20 × 0.02 = 0.4 tier 2 of 2: above 100',
  ])
  await assertSound(db)
})

test('overrides and discounts are of one organization alone', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const other = await createOrganization(db, { name: 'Other' })
  await mapAuthId(db, { authId: 'auth-2', organizationId: other.id })
  const text = `${BOOK}overrides:\n  ${acme.id}: { discount: "0.5", models: { small: { prompt: "0.0000007" } } }\n`
  await applyPriceBook(db, priceBook({ text }))
  const meters = { input_tokens: 1000, output_tokens: 1000 }
  await deliver(db, [usageRecord({ startedAt: MARCH, meters }), usageRecord({ startedAt: MARCH, meters, authId: 'auth-2' })])
  await rateAll(db)
  assert.equal((await statementOf(db, acme.id, '2026-03')).total, '0.0017')
  assert.equal((await statementOf(db, other.id, '2026-03')).total, '0.003')
  await assertSound(db)
})

test('applyPriceBook() refuses a book that names an organization that there is not, with its line', async () => {
  await using db = await openLedger()
  const text = `${BOOK}overrides:\n  018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f: { discount: "0.5" }\n`
  await assert.rejects(applyPriceBook(db, priceBook({ text })), /prices\.yaml:6:3: there is no organization 018f4d5e/)
})

test('a minimum is a line of its own, and what comes late is set off against it', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const idle = await createOrganization(db, { name: 'Idle' })
  const agreed = await createOrganization(db, { name: 'Agreed' })
  await applyPriceBook(
    db,
    priceBook({ text: `${BOOK}minimums:\n  - { amount: "5" }\n  - { organization: ${agreed.id}, amount: "7.5", from: "2026-03" }\n` }),
  )
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 } })])
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), [
    'usage small input_tokens auth-1 1000000 × 0.000001 = 1',
    'minimum 1 × 4 = 4 to the minimum of 5 a month',
  ])
  assert.deepEqual(await lines(db, idle.id, '2026-03'), [])
  assert.deepEqual(await lines(db, agreed.id, '2026-03'), ['minimum 1 × 7.5 = 7.5 to the minimum of 7.5 a month'])
  assert.deepEqual(await lines(db, agreed.id, '2026-02'), [])
  await close(db, '2026-03')
  await deliver(db, [usageRecord({ startedAt: MARCH + 1, meters: { input_tokens: 3_000_000 } })])
  await rateAll(db)
  const april = await statementOf(db, id, '2026-04')
  assert.deepEqual(
    april.lines.filter(({ kind }) => kind === 'adjustment').map(({ amount }) => amount),
    ['1', '-4', '3'],
  )
  assert.equal((await statementOf(db, id, '2026-03')).total, '5')
  // Open, and without usage of its own: no minimum of everybody. 3 more of usage, 3 less of minimum.
  assert.equal(april.total, '0')
  await assertSound(db)
})

test('the minimum of everybody is taken back from an organization whose usage turns out to be somebody else’s', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const other = await createOrganization(db, { name: 'Other' })
  await applyPriceBook(db, priceBook({ text: `${BOOK}minimums: [{ amount: "5" }]\n` }))
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 } })])
  await close(db, '2026-03')
  await mapAuthId(db, { authId: 'auth-1', organizationId: other.id, from: MARCH - HOUR, correct: true })
  await rateAll(db)
  assert.equal((await statementOf(db, acme.id, '2026-04')).total, '-5')
  assert.equal((await statementOf(db, other.id, '2026-04')).total, '5')
  await assertSound(db)
})

test('a commitment is due in the last month of its term, by what all of its months came to, late records included', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const text = `${BOOK}commitments:\n  - { organization: ${id}, amount: "10", from: "2026-03", to: "2026-05" }\n`
  await applyPriceBook(db, priceBook({ text }))
  await deliver(
    db,
    [MARCH, APRIL, MAY].map((startedAt) => usageRecord({ startedAt, meters: { input_tokens: 2_000_000 } })),
  )
  await close(db, '2026-03')
  assert.equal((await statementOf(db, id, '2026-03')).total, '2')
  await close(db, '2026-04')
  assert.deepEqual(await lines(db, id, '2026-04'), [
    'usage small input_tokens auth-1 2000000 × 0.000001 = 2',
    'commitment 1 × 6 = 6 to the commitment of 10 from 2026-03 to the end of 2026-04',
  ])
  await deliver(db, [usageRecord({ startedAt: MARCH + 1, meters: { input_tokens: 1_000_000 } })])
  await rateAll(db)
  // 1 more in March, 1 less missing at the end of April.
  assert.equal((await statementOf(db, id, '2026-05')).total, '2')
  assert.equal((await statementOf(db, id, '2026-05')).lines.length, 4)
  await assertSound(db)
})

test('a month without usage that is closed along with a later one never loses its minimums and commitments', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const text = `${BOOK}minimums: [{ organization: ${id}, amount: "5" }]
commitments: [{ organization: ${id}, amount: "100", from: "2026-03", to: "2026-05" }]\n`
  await applyPriceBook(db, priceBook({ text }))
  await deliver(
    db,
    [MARCH, MAY].map((startedAt) => usageRecord({ startedAt, meters: { input_tokens: 1_000_000 } })),
  )
  await close(db, '2026-03')
  const open = await statementOf(db, id, '2026-04')
  assert.equal(open.total, '95')
  await close(db, '2026-05')
  assert.deepEqual(await statementOf(db, id, '2026-04'), { ...open, provisional: false })
  await assertSound(db)
})

test('a commitment never counts the minimum of a month before the first that is billed', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const text = `${BOOK}minimums: [{ organization: ${id}, amount: "77" }]
commitments: [{ organization: ${id}, amount: "500", from: "2026-02", to: "2026-04" }]\n`
  await applyPriceBook(db, priceBook({ text }))
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 } })])
  await rateAll(db)
  const open = await statementOf(db, id, '2026-03')
  await close(db, '2026-03')
  const closed = await statementOf(db, id, '2026-03')
  assert.equal(closed.total, '500')
  assert.deepEqual(closed, { ...open, provisional: false })
  await assertSound(db)
})

test('a minimum larger than any price a unit never makes a statement unreadable', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: `${BOOK}minimums: [{ amount: "2000000000000" }]\n` }))
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 } })])
  await close(db, '2026-03')
  assert.equal((await statementOf(db, id, '2026-03')).total, '2000000000000')
  await assertSound(db)
})

test('minimums of a closed month are those of versions that were applied before it was closed', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 10 } })])
  await close(db, '2026-03')
  // In force before the end of March, where nothing is charged any more.
  await applyPriceBook(db, priceBook({ text: `${BOOK}minimums: [{ amount: "5" }]\n`, effectiveFrom: Date.UTC(2026, 2, 31) }))
  await deliver(db, [usageRecord({ startedAt: MARCH + 1, meters: { input_tokens: 10 } })])
  await rateAll(db)
  assert.equal((await statementOf(db, id, '2026-04')).total, '0.00001')
  await assertSound(db)
})

test('dryRun() counts what the total of the month makes, before and after', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: TIERED }))
  await deliver(db, [images(MARCH, 125), usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 }, model: 'new' })])
  await rateAll(db)
  const text = `${TIERED.replace('"0.03"', '"0.05"')}minimums: [{ amount: "10" }]\n`
  const run = await dryRun(db, { text, file: 'new.yaml', month: '2026-03' })
  assert.deepEqual(run, {
    currency: 'USD',
    rows: [{ organizationId: id, name: 'Acme', before: 3_250_000_000n, after: 10_000_000_000n, unpricedBefore: 1n, unpricedAfter: 1n }],
  })
  assert.equal((await readStatement(db, { organizationId: id, month: '2026-03', scope: 'operator' }))?.total, '3.25')
})
