import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  amendRecord,
  applyPriceBook,
  closeMonth,
  importBackfill,
  readStatement,
  undoBackfill,
  verifyRating,
  voidRecords,
} from '../src/index.ts'
import { createLineReader, issueInvoice, readInvoiceContent } from '../src/money.ts'
import { ACTOR, line, linesOf, totalOf } from './acts-support.ts'
import { MONTH, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const NEXT = '2026-04'

async function nextMonth(db: Database, organizationId: string): Promise<unknown> {
  const statement = await readStatement(db, { organizationId, month: NEXT, scope: 'operator' })
  return [
    statement?.total,
    new Set(statement?.lines.map(({ kind }) => kind)),
    new Set(statement?.lines.map(({ description }) => description)),
  ]
}

test('acts upon records of a closed month move no line of it; the difference is booked in the open one, with its cause', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const [one, two] = [usageRecord(), usageRecord()]
  await deliver(db, [one, two])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: MONTH, closedBy: 'ada' })).kind, 'closed')
  const settled = await totalOf(db, id)
  assert.equal(settled, '0.00024')

  await voidRecords(db, { ...ACTOR, eventIds: [one.eventId] })
  await rateAll(db)
  assert.deepEqual(await nextMonth(db, id), ['-0.00012', new Set(['adjustment']), new Set([`corrects ${MONTH}: records that were voided`])])

  await amendRecord(db, { ...ACTOR, eventId: two.eventId, change: { meters: { output_tokens: 110 } } })
  await rateAll(db)
  // 100 more out at 0.000002.
  assert.equal(((await nextMonth(db, id)) as unknown[])[0], '0.00008')

  await importBackfill(db, { ...ACTOR, name: 'late', lines: linesOf([line({ request_id: 'r-1' })]) })
  await rateAll(db)
  assert.equal(((await nextMonth(db, id)) as unknown[])[0], '0.000164')
  await undoBackfill(db, { ...ACTOR, name: 'late' })
  await rateAll(db)
  assert.equal(((await nextMonth(db, id)) as unknown[])[0], '0.00008')

  // What was brought and taken back is no line, though the causes differ.
  assert.equal((await readStatement(db, { organizationId: id, month: NEXT, scope: 'operator' }))?.lines.length, 2)

  assert.equal(await totalOf(db, id), settled)
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('a backfill that came after the close and was undone is never shown behind the lines of the closed month', async () => {
  await using db = await openLedger({ fresh: true })
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const [one, two] = [usageRecord(), usageRecord()]
  await deliver(db, [one, two])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: MONTH, closedBy: 'ada' })).kind, 'closed')
  await importBackfill(db, { ...ACTOR, name: 'late', lines: linesOf([line({ request_id: 'r-1' })]) })
  await undoBackfill(db, { ...ACTOR, name: 'late' })
  await voidRecords(db, { ...ACTOR, eventIds: [one.eventId] })
  await rateAll(db)
  const issued = await issueInvoice(db, { organizationId, month: MONTH, at: Date.UTC(2026, 3, 2), by: 'ada' })
  const content = await readInvoiceContent(db, 'id' in issued ? issued.id : '')
  assert.ok(content)
  const reader = (await createLineReader(db))({ content, line: 1 })
  const records: string[] = []
  for (;;) {
    const { done, value } = await reader.next()
    if (done === true) {
      assert.deepEqual(value, { kind: 'exact', records: 2, charged: 2n })
      break
    }
    records.push(value.record.eventId)
  }
  assert.deepEqual(records.toSorted(), [one.eventId, two.eventId].toSorted())
})
