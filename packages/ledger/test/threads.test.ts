import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, createOrganization, mapAuthId, readPosition } from '../src/index.ts'
import { eventsOf, totalOf } from './acts-support.ts'
import { HOUR, createCustomer, deliver, dumpDerived, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

/* Complaints of users of other systems that concern records and charges, by their threads. */

test('litellm-33872: a delivery that fails at its very commit acknowledges nothing, and comes again', async () => {
  await using db = await openLedger({ fresh: true })
  // Deferred: every statement succeeds, and the commit does not.
  await db.query(`
    create function refuse_commit() returns trigger language plpgsql as $$ begin raise exception 'no space' using errcode = '53100'; end $$;
    create constraint trigger refuse_commit after insert or update on writer_position deferrable initially deferred
      for each row execute function refuse_commit()`)
  const records = [usageRecord(), usageRecord()]
  await assert.rejects(deliver(db, records), { sqlstate: '53100' })
  assert.deepEqual([await readPosition(db, 'gateway-1'), await eventsOf(db)], [undefined, []])
  await db.query('drop trigger refuse_commit on writer_position')
  assert.equal((await deliver(db, records)).inserted, 2)
  assert.notEqual(await readPosition(db, 'gateway-1'), undefined)
})

test('flexprice-584: what a delivery needs and is not there yet is made, or waited for; nothing is stuck', async () => {
  await using db = await openLedger({ fresh: true })
  // Months that nobody has prepared.
  const far = [Date.UTC(1999, 11, 31, 23), Date.UTC(2031, 0, 1), Date.UTC(2026, 1, 28)].map((startedAt) => usageRecord({ startedAt }))
  assert.equal((await deliver(db, far)).inserted, 3)
  // A table that somebody took away.
  await db.query('alter table dirty_hour rename to away')
  const late = usageRecord()
  await assert.rejects(deliver(db, [late]), { sqlstate: '42P01' })
  await db.query('alter table away rename to dirty_hour')
  assert.equal((await deliver(db, [late])).inserted, 1)
  assert.equal((await eventsOf(db)).length, 4)
})

test("higress-1080: a stream's end is charged once, however often and by whomever it is told", async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const stream = usageRecord({ streamed: true })
  const told = await Promise.all(['gateway-1', 'gateway-1', 'gateway-2'].map((writer) => deliver(db, [stream, stream], writer)))
  assert.equal(
    told.reduce((sum, { inserted }) => sum + inserted, 0),
    1,
  )
  await rateAll(db)
  await deliver(db, [stream])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.00012')
})

test('autumn-cache-eviction: whatever is derived can be lost, and comes back from the records to the byte', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(
    db,
    [0, 1, 2].map((hour) => usageRecord({ startedAt: Date.UTC(2026, 2, 1, 10) + hour * HOUR, model: hour === 1 ? 'large' : 'small' })),
  )
  await rateAll(db)
  const before = await dumpDerived(db)
  await db.query(
    "delete from charge; delete from usage_hour; insert into dirty_hour (hour) select distinct date_trunc('hour', instant, 'UTC') from usage_record",
  )
  assert.equal(await dumpDerived(db), '')
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
})

test('litellm-41499: a row names its price version; its size does not depend on the price book', async () => {
  await using db = await openLedger()
  const models = Array.from(
    { length: 2000 },
    (_, model) => `  model-${model}: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }`,
  )
  await applyPriceBook(db, priceBook({ text: `version: 1\nbase_models:\n${models.join('\n')}\n` }))
  const { id } = await createOrganization(db, { name: 'Acme' })
  await mapAuthId(db, { authId: 'auth-1', organizationId: id })
  await deliver(
    db,
    Array.from({ length: 50 }, (_, index) => usageRecord({ model: `model-${index}` })),
  )
  await rateAll(db)
  const { rows } = await db.query<{ name: string; bytes: number }>(
    `select 'usage_record' as name, max(pg_column_size(t))::integer as bytes from usage_record t
     union all select 'usage_hour', max(pg_column_size(t))::integer from usage_hour t
     union all select 'charge', max(pg_column_size(t))::integer from charge t`,
  )
  assert.equal(rows.length, 3)
  // A record as these tests have it, and what is derived from it. Theirs had 6.3 kB, two thirds of it the price book.
  for (const { name, bytes } of rows) assert.ok(bytes < 600, `a row of ${name} has ${bytes} bytes`)
})

test('otari-1117: a record with a duration below zero, or that is no number, is set aside and charged to nobody', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const durations = [-1, -0.001, '12', true] as number[]
  const delivered = await deliver(
    db,
    [...durations, 0.25].map((firstByteMs) => usageRecord({ firstByteMs })),
  )
  assert.deepEqual([delivered.inserted, delivered.quarantined], [1, durations.length])
  await rateAll(db)
  const { rows } = await db.query('select sum(record_count)::int as records from usage_hour')
  assert.deepEqual(rows, [{ records: 1 }])
})
