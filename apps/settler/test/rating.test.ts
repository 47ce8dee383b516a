import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentMeters } from '@ascribe/kit'
import { applyPriceBook, createOrganization, ingestBatch, mapAuthId, readStatement } from '@ascribe/ledger'
import { Rater } from '../src/rater.ts'
import { createSettlerMeters } from '../src/settler-meters.ts'
import { BOOK, HOUR, MONTH, TEN, inBackground, openBench, serve, until, usageRecord, usageRecords } from './support.ts'

test('run() rates what is held as soon as others bring the mapping and the price', async () => {
  await using bench = await openBench()
  const { id: organizationId } = await createOrganization(bench.db, { name: 'Acme' })
  await serve(await bench.writer(), usageRecords(3))
  await using _running = inBackground(bench.settler())
  const statement = async (): ReturnType<typeof readStatement> =>
    readStatement(bench.db, { organizationId, month: MONTH, scope: 'operator' })
  await until('the usage is held for want of an owner', async () => (await statement())?.held.unattributed === 3)
  await mapAuthId(bench.db, { authId: 'auth-1', organizationId })
  await until('it is held for want of a price', async () => (await statement())?.held.unpriced === 3)
  await applyPriceBook(bench.db, { text: BOOK, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
  await until('it is charged', async () => (await statement())?.total === '0.00036')
  assert.deepEqual((await statement())?.held, { unpriced: 0, unattributed: 0, unknown: 0 })
})

test('rateIfDue() leaves hours alone that a backlog goes on filling, and rates those that it has passed', async () => {
  await using bench = await openBench()
  const rater = new Rater(bench.db, createSettlerMeters(silentMeters))
  const signal = new AbortController().signal
  const ratedHours = async (): Promise<readonly number[]> =>
    (await bench.db.query<{ hour: number }>('select distinct hour from usage_hour order by hour')).rows.map(({ hour }) => hour)
  const [first, second] = [TEN + 2 * HOUR, TEN + 3 * HOUR]
  const mark = async (startedAt: number): Promise<void> => {
    const record = usageRecord({ startedAt })
    const records = [{ eventId: record.eventId, payload: JSON.stringify(record) }]
    await ingestBatch(bench.db, { writer: 'w', position: { segment: 1, offset: 1 }, records })
  }
  await mark(first)
  await rater.rateIfDue(signal, { isDirty: true, isBacklog: true })
  await mark(first)
  await mark(second)
  await rater.rateIfDue(signal, { isDirty: true, isBacklog: true })
  assert.deepEqual(await ratedHours(), [])
  await mark(second)
  await rater.rateIfDue(signal, { isDirty: true, isBacklog: true })
  assert.deepEqual(await ratedHours(), [first])
  await rater.rateIfDue(signal, { isDirty: false, isBacklog: false })
  assert.deepEqual(await ratedHours(), [first, second])
})
