import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, listPriceVersions, markRatedHours, streamLineRecords } from '../src/index.ts'
import { APRIL, MARCH, close, dumpFrozen, lines } from './periods-support.ts'
import {
  BOOK,
  DEAR_BOOK,
  HOUR,
  createCustomer,
  deliver,
  dumpDerived,
  openLedger,
  priceBook,
  rateAll,
  usageRecord,
  assertSound,
  statementOf,
} from './support.ts'

// What users of other products complain about when prices change: market research, section 4.9.

const meters = { input_tokens: 1000 }

test('any-llm-994: prices have effective dates, and an update never changes past cost', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters })])
  await rateAll(db)
  assert.equal((await applyPriceBook(db, priceBook({ text: DEAR_BOOK }))).kind, 'overlap')
  assert.equal((await applyPriceBook(db, priceBook({ text: DEAR_BOOK, effectiveFrom: MARCH + HOUR }))).kind, 'applied')
  await deliver(db, [usageRecord({ startedAt: MARCH + HOUR, meters })])
  await markRatedHours(db)
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), [
    'usage small input_tokens auth-1 1000 × 0.000001 = 0.001',
    'usage small input_tokens auth-1 1000 × 0.00001 = 0.01',
  ])
})

test('otari-407: an event without a price is priced later by a correction, which touches nothing that is charged', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters }), usageRecord({ startedAt: MARCH, meters, model: 'new' })])
  await rateAll(db)
  const charged = await db.query<{ line: string }>('select c::text as line from charge c')
  // It prices small too, ten times as dear: what a full version prices, a supplement does not.
  const text = `${DEAR_BOOK}  new: { prompt: "0.000003", cached: "0", completion: "0" }\n`
  const applied = await applyPriceBook(db, priceBook({ text, supplement: {} }))
  assert.deepEqual([applied.kind, applied.kind === 'applied' && applied.hours], ['applied', 1])
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), [
    'usage new input_tokens auth-1 1000 × 0.000003 = 0.003',
    'usage small input_tokens auth-1 1000 × 0.000001 = 0.001',
  ])
  const after = await db.query<{ line: string }>('select c::text as line from charge c')
  for (const { line } of charged.rows) assert.ok(after.rows.some((row) => row.line === line))
  // The first supplement has it; a second one prices nothing of it.
  await applyPriceBook(db, priceBook({ text: text.replace('0.000003', '0.000009'), supplement: {} }))
  await markRatedHours(db)
  const before = await dumpDerived(db)
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  // Nor may a full version take over what a supplement charges.
  const full = await applyPriceBook(db, priceBook({ text, effectiveFrom: MARCH }))
  assert.deepEqual([full.kind, full.kind === 'overlap' && full.records], ['overlap', 2n])
  await assertSound(db)
})

test('otari-407: a supplement ends where it says, and is not in force outside of its time', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const text = BOOK.replace('large:', 'new:')
  await applyPriceBook(db, priceBook({ text, effectiveFrom: MARCH, supplement: { until: MARCH + HOUR } }))
  await deliver(
    db,
    [MARCH - 1, MARCH, MARCH + HOUR - 1, MARCH + HOUR].map((startedAt) =>
      usageRecord({ startedAt, meters: { input_tokens: 1 }, model: 'new' }),
    ),
  )
  await rateAll(db)
  const { lines: all, held } = await statementOf(db, id, '2026-03')
  assert.deepEqual([all.map(({ quantity }) => quantity), held.unpriced], [[2], 2])
  await assertSound(db)
})

test('ccusage-1636: a closed period totals the same whichever prices come later', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters }), usageRecord({ startedAt: APRIL, meters })])
  await close(db, '2026-03')
  const [before, frozen] = [await statementOf(db, id, '2026-03'), await dumpFrozen(db)]
  await applyPriceBook(db, priceBook({ text: DEAR_BOOK, effectiveFrom: APRIL + HOUR }))
  await applyPriceBook(db, priceBook({ text: DEAR_BOOK.replace('small', 'tiny'), supplement: {} }))
  await markRatedHours(db)
  await rateAll(db)
  assert.deepEqual(await statementOf(db, id, '2026-03'), before)
  assert.equal(await dumpFrozen(db), frozen)
  assert.equal((await statementOf(db, id, '2026-04')).total, '0.001')
})

test('agentsview-1540: cost uses the price at event time, and each charge shows the version that it came from', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook({ file: 'old.yaml', appliedBy: 'ann' }))
  await applyPriceBook(db, priceBook({ text: DEAR_BOOK, file: 'new.yaml', appliedBy: 'bob', effectiveFrom: MARCH }))
  await deliver(db, [usageRecord({ startedAt: MARCH - 1, meters }), usageRecord({ startedAt: MARCH, meters })])
  await rateAll(db)
  const { rows } = await db.query<{ file: string; applied_by: string; amount: bigint }>(
    `select v.file, v.applied_by, c.amount_nano::bigint as amount from charge c join price_version v on v.sequence = c.price_sequence order by c.hour`,
  )
  assert.deepEqual(rows, [
    { file: 'old.yaml', applied_by: 'ann', amount: 1_000_000n },
    { file: 'new.yaml', applied_by: 'bob', amount: 10_000_000n },
  ])
})

test('langfuse-docs-2018: rating again is one call, and says the same', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, meters }), usageRecord({ startedAt: APRIL, meters })])
  await rateAll(db)
  const before = await dumpDerived(db)
  assert.equal(await markRatedHours(db), 2)
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
})

test('litellm-38730: a redirected model is priced as the engine billed it, not as it was asked for', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: MARCH, modelAsked: 'small', model: 'large', meters })])
  await rateAll(db)
  assert.deepEqual(await lines(db, id, '2026-03'), ['usage large input_tokens auth-1 1000 × 0.00001 = 0.01'])
})

test('maxx-575: recalculation uses the price of then, years of versions later', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  for (let version = 1; version <= 5; version += 1) {
    const text = BOOK.replace('prompt: "0.000001"', `prompt: "0.00000${version + 1}"`)
    await applyPriceBook(db, priceBook({ text, effectiveFrom: MARCH + version * HOUR }))
  }
  assert.equal((await listPriceVersions(db)).length, 6)
  await deliver(
    db,
    [0, 1, 2, 3, 4, 5].map((hours) => usageRecord({ startedAt: MARCH + hours * HOUR, meters })),
  )
  for (let again = 0; again < 2; again += 1) {
    await markRatedHours(db)
    await rateAll(db)
    // 1 + 2 + 3 + 4 + 5 + 6, each by the version of its own hour.
    assert.equal((await statementOf(db, id, '2026-03')).total, '0.021')
  }
})

test('codex-46608: every charge names the records behind it, by number and digest', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord({ startedAt: MARCH, meters }),
    usageRecord({ startedAt: MARCH + 1, meters }),
    usageRecord({ startedAt: MARCH, model: 'large', meters }),
  ])
  await rateAll(db)
  const behind = await Array.fromAsync(
    streamLineRecords(db, { organizationId: id, month: '2026-03', model: 'small', meter: 'input_tokens' }),
  )
  const digest = behind.reduce((all, { record: { eventId } }) => all ^ BigInt(`0x${eventId.replaceAll('-', '')}`), 0n)
  const { rows } = await db.query<{ records: bigint; digest: string }>(
    `select record_count as records, records_digest::text as digest from charge where model = 'small'`,
  )
  assert.deepEqual(rows, [{ records: 2n, digest: digest.toString(2).padStart(128, '0') }])
})
