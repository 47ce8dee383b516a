import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, ingestBatch, listQuarantine, markRatedHours, streamEvents, toEventJson, verifyRating } from '../src/index.ts'
import {
  DEAR_BOOK,
  HOUR,
  TEN,
  createCustomer,
  deliver,
  delivery,
  dumpDerived,
  openLedger,
  priceBook,
  rateAll,
  usageRecord,
  statementOf,
} from './support.ts'

/* What the reference metering proxy is known to get wrong in its ledger, by the numbers of our list of its defects. */

test('reference defect 1: a price edit does not move what was served before it', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ startedAt: TEN }), usageRecord({ startedAt: TEN + 20 * HOUR })])
  await rateAll(db)
  const [before, { total }] = [await dumpDerived(db), await statementOf(db, id)]
  assert.equal((await applyPriceBook(db, { text: DEAR_BOOK, file: 'prices.yaml', appliedBy: 'ann' })).kind, 'applied')
  await markRatedHours(db)
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  // A record of that time that comes late costs what it cost then.
  await deliver(db, [usageRecord({ startedAt: TEN + 1 })])
  await rateAll(db)
  assert.equal(total, '0.00024')
  assert.equal((await statementOf(db, id)).total, '0.00036')
})

test('reference defect 5: a table that is away for a moment costs not one of ten events', async () => {
  await using db = await openLedger()
  const records = Array.from({ length: 10 }, () => usageRecord())
  await db.query('alter table usage_record rename to away')
  for (const attempt of [1, 2]) await assert.rejects(deliver(db, records), { sqlstate: '42P01' }, `attempt ${attempt}`)
  await db.query('alter table away rename to usage_record')
  assert.equal((await deliver(db, records)).inserted, 10)
  assert.deepEqual(await listQuarantine(db), [])
})

test('reference defect 12: negative counts give no credit', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const credit = usageRecord({ meters: { input_tokens: -1_000_000, output_tokens: 1 } })
  assert.deepEqual(await deliver(db, [credit, usageRecord()]), { inserted: 1, duplicates: 0, conflicting: 0, quarantined: 1 })
  await rateAll(db)
  assert.equal((await statementOf(db, id)).total, '0.00012')
  assert.deepEqual(
    (await listQuarantine(db)).map(({ eventId }) => eventId),
    [credit.eventId],
  )
})

test('reference defect 13: over-long and NUL-bearing text, lone surrogates and dashed user ids lose nothing', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const records = [
    usageRecord({ model: 'x'.repeat(100_000) }),
    usageRecord({ model: 'small\0', startedAt: TEN + 1 }),
    usageRecord({ userId: '0192f0c1-2a7b-7000-8000-000000000001', groupId: 'g'.repeat(33), startedAt: TEN + 2 }),
    usageRecord({ headers: { 'X-Saturn-\0': '\u{D800}\0' }, requestId: '\u{DFFF}', startedAt: TEN + 3 }),
  ]
  assert.equal((await deliver(db, records)).inserted, 4)
  assert.equal((await deliver(db, records)).duplicates, 4, 'delivered again')
  await rateAll(db)
  assert.deepEqual([(await statementOf(db, id)).total, (await statementOf(db, id)).held.unpriced], ['0.00024', 2])
  const events = (await Array.fromAsync(streamEvents(db))).map(toEventJson)
  assert.equal(events[0]?.model, 'x'.repeat(100_000))
  assert.equal(events[1]?.model, 'small\u{FFFD}')
  assert.equal(events[2]?.user_id, '0192f0c1-2a7b-7000-8000-000000000001')
  assert.deepEqual([events[3]?.headers, events[3]?.request_id], [{ 'X-Saturn-\u{FFFD}': '\u{FFFD}\u{FFFD}' }, '\u{FFFD}'])
})

test('reference defect 14: a client id is correlation only: a replay is billed, and nobody can burn the id of another', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const other = await createCustomer(db, { authId: 'auth-2', name: 'Other' })
  await applyPriceBook(db, priceBook())
  const requestId = 'order-66'
  const records = [usageRecord({ requestId, authId: 'auth-2' }), usageRecord({ requestId }), usageRecord({ requestId })]
  assert.equal((await deliver(db, records)).inserted, 3)
  await rateAll(db)
  assert.equal((await statementOf(db, acme.id)).total, '0.00024')
  assert.equal((await statementOf(db, other.id)).total, '0.00012')
})

test('reference defect 15: an early abort is an abort, no anomaly: nothing is held, and it is counted once', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  // The client left before anything was generated, and the engine said so.
  const abort = usageRecord({ outcome: 'aborted', meters: { input_tokens: 0, output_tokens: 0 }, promptTokens: 0, completionTokens: 0 })
  await deliver(db, [abort, usageRecord()])
  await rateAll(db)
  for (let runs = 0; runs < 3; runs += 1) {
    await markRatedHours(db)
    await rateAll(db)
  }
  assert.deepEqual((await statementOf(db, id)).held, { unpriced: 0, unattributed: 0, unknown: 0 })
  assert.deepEqual((await verifyRating(db)).differences, [])
  const events = (await Array.fromAsync(streamEvents(db))).map(toEventJson)
  assert.deepEqual(events.map(({ aborted }) => String(aborted)).toSorted(), ['false', 'true'])
})

test('reference defect 25: a batch is as large as it likes: no limit on parameters is met', async () => {
  await using db = await openLedger()
  const records = Array.from({ length: 5000 }, () => usageRecord())
  const batch = { writer: 'w', position: { segment: 1, offset: 1 }, records: records.map(delivery) }
  assert.equal((await ingestBatch(db, batch)).inserted, 5000)
})
