import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { backupLedger, readStatement, restoreLedger, verifyRating } from '@ascribe/ledger'
import { testDatabase } from '@ascribe/postgres/testing'
import { MONTH, TEN, TINY, createCustomer, idsOf, killedCopy, openBench, serve, usageRecord, usageRecords } from './support.ts'

test('pass() rebuilds a lost ledger from a backup of its books and copies of journals, each record once', async () => {
  await using bench = await openBench()
  const organizationId = await createCustomer(bench.db)
  const first = await bench.writer(TINY)
  await serve(first, usageRecords(30))
  await bench.settler().pass()
  const backup = await backupLedger(bench.db, { now: TEN, write: (chunks) => Array.fromAsync(chunks) })
  // Since the backup: more of a journal that is partly in it, and one that is not in it at all.
  await serve(first, usageRecords(40))
  const second = await bench.writer()
  await serve(second, [usageRecord({ resourceId: 'other' }), ...usageRecords(5)])
  const kept = join(bench.data, 'kept')
  for (const writer of [first, second]) await killedCopy(writer, kept)
  await bench.settler().pass()
  const query = { organizationId, month: MONTH, scope: 'customer' } as const
  const [statement, records] = [await readStatement(bench.db, query), await bench.records()]

  await using db = await testDatabase()
  await restoreLedger(db, chunksOf(backup))
  await bench.settler({ db, journal: kept, policy: join(bench.data, 'new-policy.json') }).pass()
  assert.equal(JSON.stringify(await readStatement(db, query)), JSON.stringify(statement))
  const verified = await verifyRating(db)
  assert.deepEqual([verified.records, verified.differenceCount], [records.length, 0])
  assert.equal(new Set(idsOf(records)).size, 76)
})

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
