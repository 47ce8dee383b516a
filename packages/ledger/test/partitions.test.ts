import assert from 'node:assert/strict'
import { test } from 'node:test'
import { migrate } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import { createIdSource, idOfHash, instantOfId } from '@ascribe/units'
import { ledgerMigrations, listPartitions, listQuarantine, preparePartitions, streamEvents, verifyRating } from '../src/index.ts'
import { HOUR, TEN, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'
import { applyPriceBook, readStatement } from '../src/index.ts'

const month = (number: number): number => Date.UTC(2026, number, 1)

async function partitionNames(db: Queryable): Promise<readonly string[]> {
  return (await listPartitions(db)).map(({ name }) => name)
}

test('ingestBatch() makes the partition that a record needs, whatever its month, and dedupes over all of them', async () => {
  await using db = await openLedger()
  const records = [month(2) - 1, month(2), month(5) + HOUR, Date.UTC(1971, 0, 1), Date.UTC(2199, 11, 31)].map((startedAt) =>
    usageRecord({ startedAt }),
  )
  assert.equal((await deliver(db, records)).inserted, 5)
  assert.equal((await deliver(db, records)).duplicates, 5)
  const names = await partitionNames(db)
  for (const name of ['1971_01', '2026_02', '2026_03', '2026_06', '2199_12']) assert.ok(names.includes(`usage_record_${name}`), name)
  assert.deepEqual(
    new Set((await Array.fromAsync(streamEvents(db))).map(({ record }) => record.eventId)),
    new Set(records.map((r) => r.eventId)),
  )
})

test('ingestBatch() quarantines a record whose instant is more than an hour from the time in its id', async () => {
  await using db = await openLedger()
  const idOf = (at: number): string => createIdSource(() => at)()
  const fine = [-HOUR, 0, HOUR].map((by) => usageRecord({ startedAt: TEN + by, eventId: idOf(TEN) }))
  const off = [-HOUR - 1, HOUR + 1].map((by) => usageRecord({ startedAt: TEN + by, eventId: idOf(TEN) }))
  const summary = await deliver(db, [...fine, ...off])
  assert.deepEqual(summary, { inserted: 3, duplicates: 0, conflicting: 0, quarantined: 2 })
  for (const { reason } of await listQuarantine(db)) assert.equal(reason, 'startedAt is more than an hour from the time in eventId')
})

test('preparePartitions() makes those of this month and the next, once', async () => {
  await using db = await openLedger()
  await preparePartitions(db, Date.UTC(2031, 11, 31, 23, 59))
  await preparePartitions(db, Date.UTC(2031, 11, 31, 23, 59))
  const names = await partitionNames(db)
  assert.deepEqual(
    names.filter((name) => /203[12]/.test(name)),
    ['usage_record_2031_12', 'usage_record_2032_01'],
  )
})

test('event_id_at() gives the least id of an instant, for every instant that there is', async () => {
  await using db = await openLedger()
  const instants = [0, 1, TEN - 1, TEN, TEN + 1, Date.UTC(2199, 11, 31, 23, 59, 59, 999)]
  for (const at of instants) {
    const { rows } = await db.query<{ id: string; at: number }>(
      'select event_id_at($1::timestamptz) as id, event_id_instant($2::uuid) as at',
      [new Date(at).toISOString(), idOfHash(at, new Uint8Array(32).fill(255))],
    )
    assert.equal(instantOfId(rows[0]?.id ?? ''), at)
    assert.equal(rows[0]?.at, at)
    assert.ok((rows[0]?.id ?? 'z') <= idOfHash(at, new Uint8Array(32)))
  }
  const { rows } = await db.query("select event_id_at('-infinity') as first, event_id_at('infinity') as last")
  assert.deepEqual(rows, [{ first: '00000000-0000-0000-0000-000000000000', last: 'ffffffff-ffff-0000-0000-000000000000' }])
})

test('event_id_from() and event_id_until() bound ids by an hour more on either side, for every instant that there is', async () => {
  await using db = await openLedger()
  const { rows } = await db.query(
    `select event_id_from($1::timestamptz) = event_id_at($1::timestamptz - interval '1 hour') as starts,
       event_id_until($1::timestamptz) = event_id_at($1::timestamptz + interval '1 hour') as ends,
       event_id_from('-infinity') as first, event_id_from('epoch') as zero, event_id_until('infinity') as last`,
    [new Date(TEN).toISOString()],
  )
  const least = '00000000-0000-0000-0000-000000000000'
  assert.deepEqual(rows, [{ starts: true, ends: true, first: least, zero: least, last: 'ffffffff-ffff-0000-0000-000000000000' }])
})

/** Partitions that a statement reads, by its plan with these values. */
async function partitionsRead(db: Queryable, sql: string, values: readonly unknown[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ 'QUERY PLAN': unknown }>(`explain (format json) ${sql}`, values)
  return new Set(JSON.stringify(rows).match(/usage_record_\d{4}_\d{2}(?=")/g) ?? [])
}

test('litellm-35766: a question about an hour reads one or two partitions of a year, whoever asks it', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  for (let number = 0; number < 12; number += 1) await deliver(db, [usageRecord({ startedAt: month(number) + HOUR / 2 })])
  const asked: { sql: string; values: readonly unknown[] }[] = []
  const listening: typeof db = {
    ...db,
    query: (sql, values) => {
      if (sql.includes('usage_record')) asked.push({ sql, values: values ?? [] })
      return db.query(sql, values)
    },
    transaction: (work, options) =>
      db.transaction(
        (tx) =>
          work({
            ...tx,
            query: (sql, values) => {
              if (sql.includes('usage_record')) asked.push({ sql, values: values ?? [] })
              return tx.query(sql, values)
            },
          }),
        options,
      ),
  }
  await rateAll(listening)
  const rated = asked.length
  assert.ok(rated >= 12, `rating read ${rated} times`)
  await Array.fromAsync(streamEvents(listening, { from: month(3), to: month(3) + HOUR }))
  await deliver(listening, [usageRecord({ startedAt: month(3) + HOUR })])
  const plans = asked.filter(({ sql }) => /^\s*(select|with)/i.test(sql))
  assert.ok(plans.length > rated - 1)
  for (const { sql, values } of plans) {
    const read = await partitionsRead(db, sql, values)
    assert.ok(read.size <= 2, `${read.size} partitions are read: ${[...read].join()}\n${sql}`)
  }
  // A whole stream reads all, or the look at the plan sees nothing.
  asked.length = 0
  await Array.fromAsync(streamEvents(listening))
  const [whole] = asked
  assert.ok(whole !== undefined && (await partitionsRead(db, whole.sql, whole.values)).size >= 12)
})

test('migrateLedger() makes partitions of a table with rows, which stay where they are and count on', async () => {
  const all = await ledgerMigrations()
  await using db = await testDatabase()
  await migrate(
    db,
    all.filter(({ id }) => id < 50),
  )
  const { rows: now } = await db.query<{ at: number }>('select now() as at')
  const thisMonth = now[0]?.at ?? 0
  const records = [thisMonth, TEN, month(0)].map((startedAt) => usageRecord({ startedAt }))
  for (const { eventId, startedAt } of records) {
    await db.query(
      `insert into usage_record (event_id, instant, ended_at, request_id, auth_id, resource_id, identified_by, route, api, streamed, outcome,
         provenance, input_tokens, writer, ingest_transaction)
       values ($1, $2, $2, 'r', 'auth-1', 'default', 'headers', 'default', 'chat', false, 'completed', 'reported', 100, 'old', 1)`,
      [eventId, new Date(startedAt).toISOString()],
    )
  }
  await migrate(db, all)
  const [first, ...rest] = await listPartitions(db)
  assert.match(first?.name ?? '', /^usage_record_before_\d{4}_\d{2}$/)
  assert.equal(first?.records === undefined ? '' : first.state, 'open')
  assert.equal(rest[0]?.firstMonth, first?.endMonth)
  assert.equal((await Array.fromAsync(streamEvents(db))).length, 3)
  // The same id again is found in the old table; new ones of an old month go there.
  assert.deepEqual(await deliver(db, [usageRecord({ ...records[1] })]), { inserted: 0, duplicates: 0, conflicting: 1, quarantined: 0 })
  assert.equal((await deliver(db, [usageRecord({ startedAt: TEN + 1 })])).inserted, 1)
  await assert.rejects(db.query('delete from usage_record'), /23001/)
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await db.query('insert into dirty_hour (hour) select distinct date_trunc($1, instant) from usage_record', ['hour'])
  await rateAll(db)
  assert.equal((await verifyRating(db)).differenceCount, 0)
  assert.equal(await readStatement(db, { organizationId: 'none', month: '2026-03', scope: 'customer' }), undefined)
})
