import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, createOrganization, mapAuthId, readStatement } from '@ascribe/ledger'
import { BOOK, MONTH, inBackground, openBench, serve, until, usageRecords } from './support.ts'

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
