import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  amendRecord,
  applyPriceBook,
  createOrganization,
  importBackfill,
  listQuarantine,
  listRecordActs,
  previewBackfill,
  readBackfillLine,
  toEventJson,
  undoBackfill,
  voidRecords,
} from '../src/index.ts'
import { ACTOR, NOW, RULES, eventsOf, line, linesOf, totalOf } from './acts-support.ts'
import { HOUR, TEN, createCustomer, deliver, dumpDerived, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const NAME = 'march'
// 60 in at 0.000001, 40 cached at 0.0000001, 10 out at 0.000002.
const ONE = '0.000084'

test('importBackfill() imports each line once, however often it runs, and undoBackfill() takes all of it back', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const texts = [line({ request_id: 'r-1' }), line({ request_id: 'r-2', timestamp_unix_ms: TEN + HOUR })]
  const run = (): ReturnType<typeof importBackfill> => importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf(texts) })
  const first = await run()
  assert.deepEqual({ ...first, actId: '' }, { actId: '', accepted: 2, duplicates: 0, conflicting: 0, present: 0 })
  assert.deepEqual({ ...(await run()) }, { ...first, accepted: 0, duplicates: 2 })
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.000168')
  const [record] = await eventsOf(db)
  assert.deepEqual(
    [record?.record.requestId, record?.record.meters, record?.record.provenance],
    ['r-1', { cached_input_tokens: 40, input_tokens: 60, output_tokens: 10 }, 'reported'],
  )

  const undone = await undoBackfill(db, { ...ACTOR, name: NAME })
  assert(undone.kind === 'undone')
  assert.deepEqual([undone.records, undone.hours], [2, [TEN, TEN + HOUR]])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0')
  assert.deepEqual([(await eventsOf(db)).length, (await eventsOf(db, { superseded: true })).length], [0, 2])
  assert.equal((await undoBackfill(db, { ...ACTOR, name: NAME })).kind, 'already_undone')
  assert.equal((await undoBackfill(db, { ...ACTOR, name: 'other' })).kind, 'unknown')
  await assert.rejects(run(), /was undone, and stays so/)
  // Undone lines may come again, under another name.
  assert.equal((await importBackfill(db, { ...ACTOR, name: 'march again', lines: linesOf(texts) })).accepted, 2)
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.000168')
  assert.deepEqual(
    (await listRecordActs(db)).map(({ kind, backfillName, brought, superseded }) => [kind, backfillName, brought, superseded]),
    [
      ['backfill', 'march again', 2n, 0n],
      ['undo', NAME, 0n, 2n],
      ['backfill', NAME, 2n, 0n],
    ],
  )
})

test('importBackfill() reports a line that says something else than before, and keeps the first', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf([line({ request_id: 'r-1' })]) })
  const other = line({ request_id: 'r-1', completion_tokens: 11 })
  const again = await importBackfill(db, { ...ACTOR, name: 'second', lines: linesOf([other]) })
  assert.deepEqual([again.accepted, again.conflicting], [0, 1])
  const [set] = await listQuarantine(db)
  assert.deepEqual([set?.payload, set?.writer], [other, 'backfill:second'])
  assert.equal((await eventsOf(db))[0]?.record.completionTokens, 10)
})

test('importBackfill() leaves alone what was exported from this very ledger', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await deliver(db, [usageRecord(), usageRecord()])
  const exported = (await eventsOf(db)).map((record) => JSON.stringify(toEventJson(record)))
  const [first] = await eventsOf(db)
  // One that was voided does not come back by the back door.
  await voidRecords(db, { ...ACTOR, eventIds: [first?.record.eventId ?? ''] })
  const summary = await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf(exported) })
  assert.deepEqual([summary.accepted, summary.present], [0, 2])
  assert.equal((await eventsOf(db)).length, 1)
})

test('importBackfill() brings the export of another ledger in, field by field', async () => {
  const record = usageRecord({ userId: 'u', groupId: 'g', resourceType: 'vm', baseModel: 'b', headers: { 'X-Saturn-Team': 'blue' } })
  let exported = ''
  {
    await using other = await openLedger()
    await deliver(other, [record])
    exported = JSON.stringify(toEventJson((await eventsOf(other))[0] ?? { record }))
  }
  await using db = await openLedger()
  await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf([exported]) })
  const [found] = await eventsOf(db)
  assert.deepEqual({ ...found?.record, eventId: record.eventId }, record)
})

test('importBackfill() takes CloudEvents by the rules, and whole organizations as subjects', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Bravo' })
  await applyPriceBook(db, priceBook())
  const event = (subject: string, data: object): string =>
    JSON.stringify({ specversion: '1.0', id: subject, source: 's', type: 'vm.usage', subject, time: '2026-03-01T10:00:00Z', data })
  const lines = [event(id, { vm: { id: 'vm-1' }, cpu: 1000 }), event('stranger', { vm: { id: 'vm-2' }, cpu: 5 })]
  assert.equal((await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf(lines) })).accepted, 2)
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.001')
})

test('previewBackfill() says what a backfill comes to, and changes nothing', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  const before = await dumpDerived(db)
  const { result, effect } = await previewBackfill(db, { ...ACTOR, name: NAME, lines: linesOf([line({ request_id: 'r-1' })]) })
  assert.equal(result.accepted, 1)
  assert.deepEqual(
    effect.rows.map(({ meter, quantityBefore, quantityAfter, amountBefore, amountAfter }) => [
      meter,
      quantityBefore,
      quantityAfter,
      amountAfter - amountBefore,
    ]),
    [
      ['cached_input_tokens', 0n, 40n, 4_000n],
      ['input_tokens', 100n, 160n, 60_000n],
      ['output_tokens', 10n, 20n, 20_000n],
    ],
  )
  await rateAll(db)
  assert.deepEqual([await dumpDerived(db), await totalOf(db, id), (await listRecordActs(db)).length], [before, '0.00012', 0])
  // The name is still free.
  assert.equal((await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf([line({ request_id: 'r-1' })]) })).accepted, 1)
  assert.notEqual(ONE, '0')
})

test('undoBackfill() takes back what was amended since, too', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await importBackfill(db, { ...ACTOR, name: NAME, lines: linesOf([line({ request_id: 'r-1' }), line({ request_id: 'r-2' })]) })
  const [first, second] = await eventsOf(db)
  await amendRecord(db, { ...ACTOR, eventId: first?.record.eventId ?? '', change: { model: 'large' } })
  await voidRecords(db, { ...ACTOR, eventIds: [second?.record.eventId ?? ''] })
  const undone = await undoBackfill(db, { ...ACTOR, name: NAME })
  // The amendment; the other two count no longer already.
  assert.equal(undone.kind === 'undone' && undone.records, 1)
  assert.equal((await eventsOf(db)).length, 0)
})

test('readBackfillLine() says what is wrong with a line in the words of the line', () => {
  const faultOf = (text: string): string => {
    const read = readBackfillLine(text, { rules: RULES, now: NOW })
    return read.kind === 'fault' ? read.reason : 'none'
  }
  assert.equal(faultOf('{"a":1},{"b":2}'), 'is not JSON')
  assert.equal(faultOf('[]'), 'is not a JSON object')
  assert.match(faultOf(line({})), /neither an event_id nor a request_id/)
  assert.equal(faultOf(line({ request_id: 'r', timestamp_unix_ms: 1.5 })), 'started_unix_ms is not an instant in milliseconds')
  assert.match(faultOf(line({ request_id: 'r', completion_tokens: -1 })), /^completion_tokens is not an integer/)
  assert.equal(faultOf(line({ request_id: 'r', auth_id: undefined })), 'auth_id is missing')
  assert.equal(faultOf(line({ request_id: 'r', timestamp_unix_ms: NOW + 1 })), 'is of the future')
  const event = { specversion: '1.0', id: '1', source: 's', type: 'vm.usage', data: { vm: { id: 'v' }, cpu: 1 } }
  assert.equal(faultOf(JSON.stringify(event)), 'time is missing: when was it?')
  assert.match(faultOf(JSON.stringify({ ...event, type: 'other' })), /no rule for events of type "other"/)
})
