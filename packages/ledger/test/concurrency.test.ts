import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { applyPriceBook, listQuarantine, mapAuthId, rateDirtyHours, readPosition, readStatement, streamEvents } from '../src/index.ts'
import {
  BOOK,
  DEAR_BOOK,
  HOUR,
  MONTH,
  TEN,
  createCustomer,
  deliver,
  dumpDerived,
  holdLock,
  openLedger,
  priceBook,
  rateAll,
  until,
  usageRecord,
  assertSound,
} from './support.ts'

const WAITS_FOR_TABLE =
  "select from pg_locks where not granted and locktype = 'relation' and database = (select oid from pg_database where datname = current_database())"
const WAITS_FOR_RATER =
  "select from pg_locks where not granted and locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
/** Ends the connection of whoever waits. */
const KILL_WAITING = `select pg_terminate_backend(pid) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())`

async function totalOf(db: Database, organizationId: string): Promise<string | undefined> {
  return (await readStatement(db, { organizationId, month: MONTH, scope: 'operator' }))?.total
}

const many = (count: number): ReturnType<typeof usageRecord>[] =>
  Array.from({ length: count }, (_, index) => usageRecord({ startedAt: TEN + (index % 7) * HOUR, meters: { input_tokens: 1 } }))

test('ingestBatch() stores a batch once when two connections deliver it at the same time', async () => {
  await using db = await openLedger()
  const records = many(500)
  const summaries = await Promise.all([
    deliver(db, records),
    deliver(db, records.toReversed()),
    deliver(db, records.slice(100, 300), 'gateway-2'),
  ])
  const sum = (of: 'inserted' | 'duplicates'): number => summaries.reduce((total, summary) => total + summary[of], 0)
  assert.deepEqual([sum('inserted'), sum('duplicates')], [500, 700])
  assert.equal((await Array.fromAsync(streamEvents(db))).length, 500)
})

test('rateDirtyHours() rates each hour once when two raters run at the same time', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, many(70))
  const [one, two] = await Promise.all([rateDirtyHours(db), rateDirtyHours(db)])
  assert.equal(one.hours + two.hours, 7)
  assert.equal(await totalOf(db, id), '0.00007')
  await assertSound(db)
})

test('an hour that gets a record while it is rated is rated again', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ meters: { input_tokens: 1 } })])
  await using hold = await holdLock(db, 'lock table charge in access exclusive mode')
  const rating = rateDirtyHours(db)
  await until(db, WAITS_FOR_TABLE)
  await deliver(db, [usageRecord({ meters: { input_tokens: 10 } })])
  await hold.release()
  assert.deepEqual(await rating, { hours: 1, charges: 1, more: true })
  assert.equal(await totalOf(db, id), '0.000001')
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.000011')
  await assertSound(db)
})

test('a mapping that changes while its hour is rated waits for the rater, and the hour is rated again', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db, { authId: 'other' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ meters: { input_tokens: 1 } })])
  await using hold = await holdLock(db, 'lock table charge in access exclusive mode')
  const rating = rateDirtyHours(db)
  await until(db, WAITS_FOR_TABLE)
  const mapping = mapAuthId(db, { authId: 'auth-1', organizationId: acme.id })
  await until(db, WAITS_FOR_RATER)
  await hold.release()
  await rating
  assert.deepEqual(await mapping, { kind: 'mapped', from: 'beginning', hours: 1 })
  await rateAll(db)
  assert.equal(await totalOf(db, acme.id), '0.000001')
  await assertSound(db)
})

test('a price book that is applied while an hour is rated waits for its charges, and does not reprice them', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await using hold = await holdLock(db, 'lock table charge in access exclusive mode')
  const rating = rateDirtyHours(db)
  await until(db, WAITS_FOR_TABLE)
  const applying = applyPriceBook(db, priceBook({ text: DEAR_BOOK, effectiveFrom: TEN }))
  await until(db, WAITS_FOR_RATER)
  await hold.release()
  await rating
  assert.deepEqual(await applying, { kind: 'overlap', effectiveFrom: TEN, records: 1n, firstInstant: TEN })
  await assertSound(db)
})

test('two mappings of one new auth id at the same time: one is from the beginning, the other comes after it', async () => {
  await using db = await openLedger()
  const [one, two] = [await createCustomer(db, { authId: 'x' }), await createCustomer(db, { authId: 'y', name: 'Two' })]
  const outcomes = await Promise.all([one, two].map(({ id }) => mapAuthId(db, { authId: 'new', organizationId: id })))
  const starts = outcomes.map((outcome) => (outcome.kind === 'mapped' ? outcome.from : outcome.kind))
  assert.equal(starts.filter((start) => start === 'beginning').length, 1)
  assert.equal(starts.filter((start) => typeof start === 'number').length, 1)
})

test('two price books that are applied at the same time become two versions in order', async () => {
  await using db = await openLedger()
  const apply = (text: string): ReturnType<typeof applyPriceBook> => applyPriceBook(db, { text, file: 'p.yaml', appliedBy: 'test' })
  const outcomes = await Promise.all([apply(BOOK), apply(DEAR_BOOK), apply(BOOK)])
  const applied = outcomes.filter((outcome) => outcome.kind === 'applied')
  assert.deepEqual(
    applied.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
    applied.map((_, index) => index + 1),
  )
  assert.ok(applied.length >= 2)
})

test('a rater whose connection dies leaves the hour as it was, and dirty', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  const before = await dumpDerived(db)
  await deliver(db, [usageRecord({ startedAt: TEN + 1 })])
  await using hold = await holdLock(db, 'lock table charge in access exclusive mode')
  const rating = assert.rejects(rateDirtyHours(db), { kind: 'connection' })
  await until(db, WAITS_FOR_TABLE)
  await db.query(KILL_WAITING)
  await rating
  await hold.release()
  assert.equal(await dumpDerived(db), before)
  assert.equal((await rateDirtyHours(db)).hours, 1)
  await assertSound(db)
})

type Trouble = readonly [
  what: string,
  error: object,
  cause: (db: TestDatabase) => Promise<unknown>,
  mend: (db: TestDatabase) => Promise<unknown>,
]

/** The server's own condition, raised where it would be: on the insert. */
function raising(sqlstate: string): readonly [Trouble[2], Trouble[3]] {
  return [
    (db) =>
      db.query(`create or replace function trouble() returns trigger language plpgsql as $$ begin raise exception 'trouble' using errcode = '${sqlstate}'; end $$;
        create trigger trouble before insert on usage_record execute function trouble()`),
    (db) => db.query('drop trigger trouble on usage_record'),
  ]
}

const troubles: readonly Trouble[] = [
  [
    'the table is missing',
    { sqlstate: '42P01' },
    (db) => db.query('alter table usage_record rename to away'),
    (db) => db.query('alter table away rename to usage_record'),
  ],
  [
    'another table of the transaction is missing',
    { sqlstate: '42P01' },
    (db) => db.query('alter table dirty_hour rename to away'),
    (db) => db.query('alter table away rename to dirty_hour'),
  ],
  ['a serialization failed', { sqlstate: '40001' }, ...raising('40001')],
  ['the disk is full', { sqlstate: '53100' }, ...raising('53100')],
  ['the server runs out of memory', { sqlstate: '53200' }, ...raising('53200')],
  ['the statement is cancelled', { sqlstate: '57014' }, ...raising('57014')],
  ['an internal error is met', { sqlstate: 'XX000' }, ...raising('XX000')],
]

for (const [what, error, cause, mend] of troubles) {
  test(`ingestBatch() drops, stores and acknowledges nothing when ${what}`, async () => {
    await using db = await openLedger()
    const records = many(10)
    await cause(db)
    await assert.rejects(deliver(db, records), error)
    await mend(db)
    assert.deepEqual([await listQuarantine(db), await readPosition(db, 'gateway-1')], [[], undefined])
    assert.deepEqual(await deliver(db, records), { inserted: 10, duplicates: 0, conflicting: 0, quarantined: 0 })
  })
}

test('ingestBatch() drops, stores and acknowledges nothing when permission is denied', async () => {
  await using db = await openLedger()
  // A role that every server has, and that may not touch our tables.
  await db.query(`alter database "${db.name}" set role = 'pg_monitor'`)
  const records = many(10)
  {
    await using denied = openDatabase(db.target)
    await assert.rejects(deliver(denied, records), { sqlstate: '42501' })
  }
  await db.query(`alter database "${db.name}" reset role`)
  assert.deepEqual([await listQuarantine(db), await readPosition(db, 'gateway-1')], [[], undefined])
  assert.equal((await deliver(db, records)).inserted, 10)
})

test('ingestBatch() drops, stores and acknowledges nothing when its connection dies', async () => {
  await using db = await openLedger()
  const records = many(10)
  await using hold = await holdLock(db, 'lock table writer_position in access exclusive mode')
  const delivering = assert.rejects(deliver(db, records), { kind: 'connection' })
  await until(db, WAITS_FOR_TABLE)
  await db.query(KILL_WAITING)
  await delivering
  await hold.release()
  assert.deepEqual([await Array.fromAsync(streamEvents(db)), await readPosition(db, 'gateway-1')], [[], undefined])
  assert.equal((await deliver(db, records)).inserted, 10)
})

for (const zone of ['Asia/Kolkata', 'America/St_Johns', 'Pacific/Kiritimati']) {
  test(`hours, months and instants are those of UTC on a server in ${zone}`, async () => {
    await using db = await openLedger()
    await db.query(`alter database "${db.name}" set timezone = '${zone}'`)
    await using elsewhere = openDatabase(db.target)
    const { id } = await createCustomer(elsewhere)
    await applyPriceBook(elsewhere, priceBook({ effectiveFrom: Date.UTC(2026, 2, 1) }))
    const edges = [Date.UTC(2026, 2, 1), Date.UTC(2026, 3, 1) - 1, Date.UTC(2026, 3, 1)]
    await deliver(
      elsewhere,
      edges.map((startedAt) => usageRecord({ startedAt, meters: { input_tokens: 1 } })),
    )
    await rateAll(elsewhere)
    assert.equal(await totalOf(elsewhere, id), '0.000002')
    const { rows } = await db.query('select distinct hour from charge order by hour')
    assert.deepEqual(rows, [{ hour: edges[0] }, { hour: Date.UTC(2026, 3, 1) - HOUR }, { hour: edges[2] }])
    await assertSound(elsewhere)
    await db.query(`alter database "${db.name}" reset timezone`)
  })
}
