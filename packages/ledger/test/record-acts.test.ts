import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  amendIn,
  amendRecord,
  listRecordActs,
  previewAct,
  streamLineRecords,
  toEventJson,
  usageReport,
  verifyRating,
  voidIn,
  voidRecords,
} from '../src/index.ts'
import { ACTOR, eventsOf, totalOf } from './acts-support.ts'
import { HOUR, MONTH, TEN, createCustomer, deliver, dumpDerived, openLedger, priceBook, rateAll, usageRecord } from './support.ts'
import { applyPriceBook } from '../src/index.ts'

// 100 tokens in at 0.000001 and 10 out at 0.000002.
const ONE = '0.00012'

test('voidRecords() takes a record out of statement, report and stream, and leaves it readable', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const [kept, gone] = [usageRecord(), usageRecord({ startedAt: TEN + HOUR })]
  await deliver(db, [kept, gone])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.00024')

  const outcome = await voidRecords(db, { ...ACTOR, eventIds: [gone.eventId] })
  assert.deepEqual([outcome.voided, outcome.already, outcome.hours], [[gone.eventId], [], [TEN + HOUR]])
  await rateAll(db)
  assert.equal(await totalOf(db, id), ONE)
  const report = await usageReport(db, { organizationId: id, from: TEN, to: TEN + 2 * HOUR, by: ['model'] })
  assert.deepEqual(
    report?.rows.map(({ records, amount }) => [records, amount]),
    [[1n, 120_000n]],
  )
  // A part of an hour is counted from its records.
  const part = await usageReport(db, { organizationId: id, from: TEN + HOUR, to: TEN + HOUR + 1000, by: [] })
  assert.deepEqual(part?.rows, [])
  const lines = await Array.fromAsync(streamLineRecords(db, { organizationId: id, month: MONTH }))
  assert.deepEqual([lines.map(({ record }) => record.eventId)], [[kept.eventId]])
  assert.deepEqual(
    (await eventsOf(db)).map(({ record }) => record.eventId),
    [kept.eventId],
  )

  const [, shown] = (await eventsOf(db, { superseded: true })).map(toEventJson)
  assert.deepEqual([shown?.event_id, shown?.superseded, shown?.superseded_by], [gone.eventId, 'void', outcome.actId])
  assert.deepEqual((await verifyRating(db)).differences, [])
  // Also by whose they were, although the rater knows nothing of them any more.
  assert.equal((await eventsOf(db, { superseded: true, organizationId: id, from: TEN + HOUR })).length, 1)
  assert.equal((await eventsOf(db, { superseded: true, authId: 'auth-1' })).length, 2)
})

test('voidRecords() does nothing twice, and nothing at all when a record is not there', async () => {
  await using db = await openLedger()
  const [one, two] = [usageRecord(), usageRecord()]
  await deliver(db, [one, two])
  await voidRecords(db, { ...ACTOR, eventIds: [one.eventId] })
  const again = await voidRecords(db, { ...ACTOR, eventIds: [one.eventId] })
  assert.deepEqual([again.actId, again.voided, again.already], [undefined, [], [one.eventId]])
  await assert.rejects(voidRecords(db, { ...ACTOR, eventIds: [two.eventId, usageRecord().eventId] }), /there is no record/)
  await assert.rejects(voidRecords(db, { ...ACTOR, eventIds: ['nonsense'] }), /there is no record nonsense/)
  await assert.rejects(voidRecords(db, { actor: 'ada', reason: ' ', eventIds: [two.eventId] }), /the reason is empty/)
  assert.equal((await listRecordActs(db)).length, 1)
  assert.equal((await eventsOf(db)).length, 1)
})

test('amendRecord() puts another record in the place of one, of the same hour, once', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const record = usageRecord({ startedAt: TEN + 1234 })
  await deliver(db, [record])
  const amended = await amendRecord(db, { ...ACTOR, eventId: record.eventId, change: { meters: { output_tokens: 20 } } })
  assert(amended.kind === 'amended')
  assert.deepEqual([amended.after.startedAt, amended.after.meters], [record.startedAt, { input_tokens: 100, output_tokens: 20 }])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.00014')

  const again = await amendRecord(db, { ...ACTOR, eventId: record.eventId, change: { model: 'large' } })
  assert.deepEqual(again, { kind: 'already_superseded', actId: amended.actId, replacementEventId: amended.after.eventId })
  const next = await amendRecord(db, { ...ACTOR, eventId: amended.after.eventId, change: { model: 'large' } })
  assert(next.kind === 'amended')
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.0014')
  assert.deepEqual((await verifyRating(db)).differences, [])

  const [first] = (await eventsOf(db, { superseded: true })).map(toEventJson).filter(({ event_id: eventId }) => eventId === record.eventId)
  assert.deepEqual([first?.superseded, first?.replaced_by], ['amend', amended.after.eventId])
  assert.deepEqual(
    (await listRecordActs(db, { eventId: amended.after.eventId })).map(({ kind, actor, reason, brought, superseded }) => [
      kind,
      actor,
      reason,
      brought,
      superseded,
    ]),
    [
      ['amend', 'ada', 'ticket 7', 1n, 1n],
      ['amend', 'ada', 'ticket 7', 1n, 1n],
    ],
  )
})

test('amendRecord() refuses what changes nothing, is no record, or would be held as before', async () => {
  await using db = await openLedger()
  const record = usageRecord()
  const unknown = usageRecord({ outcome: 'unknown', provenance: 'unknown', meters: {} })
  await deliver(db, [record, unknown])
  const amend = (eventId: string, change: Parameters<typeof amendRecord>[1]['change']): Promise<unknown> =>
    amendRecord(db, { ...ACTOR, eventId, change })
  await assert.rejects(amend(record.eventId, { model: 'small' }), /nothing would change/)
  await assert.rejects(amend(record.eventId, { meters: { output_tokens: -1 } }), /a meter is not an integer/)
  await assert.rejects(amend(record.eventId, { meters: { 'Bad Meter': 1 } }), /a name that no price book can have/)
  await assert.rejects(amend(unknown.eventId, { meters: { output_tokens: 1 } }), /marked as unknown/)
  assert.deepEqual(await listRecordActs(db), [])
  const held = await amendRecord(db, {
    ...ACTOR,
    eventId: unknown.eventId,
    change: { meters: { output_tokens: 1 }, provenance: 'estimated' },
  })
  assert.equal(held.kind, 'amended')
})

test('previewAct() says what an act comes to, and changes nothing', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const [one, two] = [usageRecord(), usageRecord()]
  await deliver(db, [one, two])
  await rateAll(db)
  const before = await dumpDerived(db)
  const voiding = await previewAct(db, async (tx) => {
    const result = await voidIn(tx, { ...ACTOR, eventIds: [one.eventId] })
    return { result, hours: result.hours ?? [] }
  })
  assert.deepEqual(
    voiding.effect.rows.map(({ organizationId, meter, quantityBefore, quantityAfter, amountBefore, amountAfter }) => [
      organizationId,
      meter,
      quantityBefore,
      quantityAfter,
      amountBefore - amountAfter,
    ]),
    [
      [id, 'input_tokens', 200n, 100n, 100_000n],
      [id, 'output_tokens', 20n, 10n, 20_000n],
    ],
  )
  const moving = await previewAct(db, async (tx) => {
    const result = await amendIn(tx, { ...ACTOR, eventId: two.eventId, change: { authId: 'auth-2' } })
    return { result, hours: result.kind === 'amended' ? result.hours : [] }
  })
  assert.deepEqual(
    moving.effect.rows.map(({ organizationId, name, meter, quantityAfter }) => [organizationId, name, meter, quantityAfter]),
    [
      [id, 'Acme', 'input_tokens', 100n],
      [id, 'Acme', 'output_tokens', 10n],
      [null, null, 'input_tokens', 100n],
      [null, null, 'output_tokens', 10n],
    ],
  )
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  assert.deepEqual([await listRecordActs(db), (await eventsOf(db)).length], [[], 2])
})

test('record_act and superseded_record cannot be changed', async () => {
  await using db = await openLedger()
  const record = usageRecord()
  await deliver(db, [record])
  await voidRecords(db, { ...ACTOR, eventIds: [record.eventId] })
  for (const sql of [
    "update record_act set reason = 'another'",
    'delete from record_act',
    'delete from superseded_record',
    'truncate superseded_record, record_act cascade',
  ])
    await assert.rejects(db.query(sql), { sqlstate: '23001' }, sql)
})

test('two acts upon one record at once: one is done, the other is told', async () => {
  await using db = await openLedger()
  const record = usageRecord()
  await deliver(db, [record])
  const [first, second] = await Promise.all([
    amendRecord(db, { ...ACTOR, eventId: record.eventId, change: { model: 'large' } }),
    voidRecords(db, { ...ACTOR, eventIds: [record.eventId] }),
  ])
  const done = [first.kind === 'amended', second.voided.length === 1].filter(Boolean)
  assert.equal(done.length, 1)
  assert.equal((await eventsOf(db)).length, first.kind === 'amended' ? 1 : 0)
})
