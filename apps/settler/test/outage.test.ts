import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOrganization, readPosition, readPolicySnapshot, createCredential } from '@ascribe/ledger'
import { openWired } from '@ascribe/postgres/testing'
import { idsOf, inBackground, keepLog, namesIn, onShipped, openBench, readJson, serve, TINY, until, usageRecords } from './support.ts'

/** Ways in which a database that can be reached takes nothing, and back. None of them is about a record. */
const TROUBLES = [
  {
    name: 'a table is missing',
    begin: 'alter table usage_record rename to somewhere_else',
    end: 'alter table somewhere_else rename to usage_record',
  },
  ...[
    ['permission is denied', '42501'],
    ['the disk is full', '53100'],
    ['the server is read only', '25006'],
    ['the server is broken', 'XX000'],
  ].map(([name, code]) => ({
    name,
    begin: `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '${code}'; end $$;
      create trigger refuse before insert on writer_position execute function refuse()`,
    end: 'drop trigger refuse on writer_position; drop function refuse',
  })),
]

test('run() never acknowledges or drops a record while the ledger takes none, whatever the reason', async (t) => {
  await using bench = await openBench({ fresh: true })
  const writer = await bench.writer(TINY)
  const expected: string[] = []
  let quarantined = 0
  const { logger, lines } = keepLog()
  const settler = bench.settler({ logger, meters: onShipped((outcome, amount) => (quarantined += outcome === 'inserted' ? 0 : amount)) })
  await using _running = inBackground(settler)
  for (const { name, begin, end } of TROUBLES) {
    await t.test(`when ${name}`, async () => {
      lines.length = 0
      const before = await readPosition(bench.db, writer.writer)
      await bench.db.query(begin)
      expected.push(...(await serve(writer, usageRecords(20))))
      await until('the settler is in trouble', () => settler.trouble !== undefined)
      assert.deepEqual(await readPosition(bench.db, writer.writer), before)
      await bench.db.query(end)
      await until('all has been shipped', async () => (await bench.records()).length === expected.length)
      await until('the trouble is over', () => settler.trouble === undefined)
      assert.deepEqual(idsOf(await bench.records()), expected)
      assert.equal(lines.filter((line) => line.startsWith('error settler waits')).length, 1)
    })
  }
  assert.equal(quarantined, 0)
})

test('run() outlives a database that refuses connections, and drains the backlog in full batches when it is back', async () => {
  await using bench = await openBench()
  await using wire = await openWired(bench.db.target)
  const writer = await bench.writer()
  const batches: number[] = []
  const settler = bench.settler({ db: wire.db, meters: onShipped((_, amount) => batches.push(amount)) })
  await using _running = inBackground(settler)
  const expected = await serve(writer, usageRecords(1))
  await until('the first record is there', async () => (await bench.records()).length === 1)
  await wire.cut()
  expected.push(...(await serve(writer, usageRecords(3000))))
  await until('the settler is in trouble', () => settler.trouble !== undefined)
  assert.equal((await bench.records()).length, 1)
  batches.length = 0
  await wire.mend()
  await until('all has been shipped', async () => (await bench.records()).length === expected.length)
  assert.deepEqual(idsOf(await bench.records()), expected)
  // 2,000 entries at once, two for each request: an outage costs no more transactions than quiet days.
  assert(batches.length <= 8, batches.join())
})

test('run() that ends while the database is away leaves everything to the next start', async () => {
  await using bench = await openBench()
  await using wire = await openWired(bench.db.target)
  await wire.cut()
  const writer = await bench.writer()
  const expected = await serve(writer, usageRecords(10))
  const settler = bench.settler({ db: wire.db })
  {
    await using _running = inBackground(settler)
    await until('the settler is in trouble', () => settler.trouble !== undefined)
  }
  await writer.close()
  assert.deepEqual(await namesIn(bench.journal), [writer.writer])
  await bench.settler().pass()
  assert.deepEqual(idsOf(await bench.records()), expected)
})

test('run() publishes keys while records cannot be shipped', async () => {
  await using bench = await openBench({ fresh: true })
  const { id } = await createOrganization(bench.db, { name: 'Acme' })
  const settler = bench.settler()
  await bench.db.query('alter table usage_record rename to somewhere_else')
  await serve(await bench.writer(), usageRecords(1))
  await using _running = inBackground(settler)
  await until('the settler is in trouble', () => settler.trouble !== undefined)
  await createCredential(bench.db, { organizationId: id, publicId: 'p1', hmac: 'h', scopes: ['inference'] })
  const snapshot = await readPolicySnapshot(bench.db)
  await until('the key is published', async () => JSON.stringify(await readJson(bench.policy)) === JSON.stringify(snapshot))
})
