import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listQuarantine, readPosition, readStatement, streamEvents, verifyRating } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { DatabaseError } from '@ascribe/postgres'
import {
  HOUR,
  MONTH,
  TEN,
  TINY,
  createCustomer,
  idsOf,
  inBackground,
  intentOf,
  keepLog,
  namesIn,
  onShipped,
  openBench,
  serve,
  until,
  usageRecord,
  usageRecords,
} from './support.ts'

test('pass() ships each settled request of several writers once, as it was written, however often it is called', async () => {
  await using bench = await openBench()
  const [one, other] = [await bench.writer(TINY), await bench.writer()]
  const records = usageRecords(120)
  const expected = [...(await serve(one, records.slice(0, 60))), ...(await serve(other, records.slice(60)))]
  const settler = bench.settler()
  await settler.pass()
  await settler.pass()
  const found = await bench.records()
  assert.deepEqual(idsOf(found), expected)
  assert.deepEqual(
    found.map(({ record }) => JSON.parse(JSON.stringify(record)) as unknown),
    records.map((record) => ({ ...record })),
  )
  const more = await serve(one, usageRecords(5))
  await settler.pass()
  assert.deepEqual(idsOf(await bench.records()), [...expected, ...more])
})

test('pass() never ships an intent that is open in a living writer', async () => {
  await using bench = await openBench()
  const writer = await bench.writer()
  const open = usageRecord()
  await writer.intend(open.eventId, JSON.stringify(intentOf(open)))
  const settled = await serve(writer, usageRecords(3))
  await bench.settler().pass()
  assert.deepEqual(idsOf(await bench.records()), settled)
  await writer.settle(open.eventId, JSON.stringify(open))
  await bench.settler().pass()
  assert.deepEqual(idsOf(await bench.records()), [open.eventId, ...settled])
})

test('pass() that is cut off in the midst has shipped a prefix of the journal; the next one ships the rest, nothing twice', async () => {
  await using bench = await openBench()
  const writer = await bench.writer()
  // More than one batch.
  const expected = await serve(writer, usageRecords(7000))
  const cut = new AbortController()
  let [batches, inserted, repeated] = [0, 0, 0]
  const meters = onShipped((outcome, amount) => {
    batches += 1
    if (outcome === 'inserted') inserted += amount
    else repeated += amount
    // As a kill after the commit: what the settler knows in memory dies with it.
    if (batches === 1) cut.abort()
  })
  await bench.settler({ meters }).pass(cut.signal)
  const shipped = idsOf(await bench.records())
  assert(shipped.length > 0 && shipped.length < expected.length, `${shipped.length} of ${expected.length}`)
  assert.deepEqual(shipped, expected.slice(0, shipped.length))
  await bench.settler({ meters }).pass()
  assert.deepEqual(idsOf(await bench.records()), expected)
  assert.deepEqual([inserted, repeated], [expected.length, 0])
})

test('pass() never counts a record twice when the commit happened and its answer was lost', async () => {
  await using bench = await openBench()
  const expected = await serve(await bench.writer(), usageRecords(10))
  let lost = 0
  const db: Database = {
    ...bench.db,
    async transaction(fn, options) {
      const result = await bench.db.transaction(fn, options)
      lost += 1
      if (lost === 1) throw new DatabaseError('Cannot commit a transaction: connection lost', { kind: 'connection' })
      return result
    },
  }
  const outcomes: Record<string, number> = {}
  const settler = bench.settler({ db, meters: onShipped((outcome, amount) => (outcomes[outcome] = (outcomes[outcome] ?? 0) + amount)) })
  await assert.rejects(settler.pass(), { code: 'DATABASE_UNREACHABLE' })
  await settler.pass()
  assert.deepEqual(idsOf(await bench.records()), expected)
  assert.deepEqual({ inserted: 0, ...outcomes }, { inserted: 0, duplicate: 10 })
})

test('pass() sets a payload aside that the ledger refuses, says so, and ships the rest', async () => {
  await using bench = await openBench({ fresh: true })
  const writer = await bench.writer()
  const before = await serve(writer, usageRecords(2))
  await serve(writer, [usageRecord({ meters: { input_tokens: -5 } })])
  const after = await serve(writer, usageRecords(2))
  await bench.db.query(`create function refuse() returns trigger language plpgsql as $$ begin raise check_violation; end $$`)
  await bench.db.query(
    `create trigger refuse before insert on usage_record for each row when (new.model = 'odd') execute function refuse()`,
  )
  const [odd] = await serve(writer, [usageRecord({ model: 'odd' })])
  const last = await serve(writer, usageRecords(1))
  const { logger, lines } = keepLog()
  await bench.settler({ logger }).pass()
  assert.deepEqual(idsOf(await bench.records()), [...before, ...after, ...last])
  const aside = await listQuarantine(bench.db)
  assert.deepEqual(
    aside.map(({ writer: name, sqlstate }) => [name, sqlstate]),
    [
      [writer.writer, undefined],
      [writer.writer, '23514'],
    ],
  )
  assert.equal(aside[1]?.eventId, odd)
  assert.equal(lines.filter((line) => line.startsWith('error') && line.includes('quarantined')).length, 1)
})

test('pass() removes what a writer left that ended in order, and keeps what a living one still needs', async () => {
  await using bench = await openBench()
  const [ended, unused, living] = [await bench.writer(TINY), await bench.writer(), await bench.writer()]
  await serve(ended, usageRecords(50))
  await serve(living, usageRecords(2))
  await ended.close()
  await unused.close()
  await bench.settler().pass()
  assert.deepEqual(await namesIn(bench.journal), [living.writer])
  assert.equal((await bench.records()).length, 52)
})

test('pass() looks at a writer that has ended since the pass before, however short ago that was', async () => {
  await using bench = await openBench()
  const writer = await bench.writer()
  const open = usageRecord()
  await writer.intend(open.eventId, JSON.stringify(intentOf(open)))
  const settler = bench.settler()
  await settler.pass()
  assert.deepEqual(await bench.records(), [])
  await writer.close()
  await settler.pass()
  assert.deepEqual(
    (await bench.records()).map(({ record }) => [record.eventId, record.outcome]),
    [[open.eventId, 'unknown']],
  )
  assert.deepEqual(await namesIn(bench.journal), [])
})

test('pass() rates every hour that is dirty', async () => {
  await using bench = await openBench()
  const organizationId = await createCustomer(bench.db)
  const hours = 45
  await serve(
    await bench.writer(),
    Array.from({ length: hours }, (_, index) => usageRecord({ startedAt: TEN + index * HOUR, endedAt: TEN + index * HOUR })),
  )
  await bench.settler().pass()
  const { pendingHours, differenceCount } = await verifyRating(bench.db)
  assert.deepEqual([pendingHours, differenceCount], [0, 0])
  const statement = await readStatement(bench.db, { organizationId, month: MONTH, scope: 'customer' })
  // 100 in at 10^-6, 10 out at 2 × 10^-6.
  assert.equal(statement?.total, '0.0054')
})

test('pass() with a missing folder of journals has nothing to do', async () => {
  await using bench = await openBench()
  await bench.settler().pass()
  assert.deepEqual(await bench.records(), [])
})

test('run() ships and rates what comes, then what came last, before it ends', async () => {
  await using bench = await openBench()
  const organizationId = await createCustomer(bench.db)
  const writer = await bench.writer()
  const totalIs = async (total: string): Promise<boolean> =>
    (await readStatement(bench.db, { organizationId, month: MONTH, scope: 'customer' }))?.total === total
  let last: string[]
  {
    await using _running = inBackground(bench.settler())
    await serve(writer, usageRecords(1))
    await until('the first request is on the statement', () => totalIs('0.00012'))
    await serve(writer, usageRecords(1))
    await until('the second one is, too', () => totalIs('0.00024'))
    last = await serve(writer, usageRecords(1))
  }
  assert.equal(idsOf(await Array.fromAsync(streamEvents(bench.db))).at(-1), last[0])
  assert(await totalIs('0.00036'))
})

test('run() remembers its place in the ledger, behind everything it shipped', async () => {
  await using bench = await openBench()
  const writer = await bench.writer(TINY)
  {
    await using _running = inBackground(bench.settler())
    await serve(writer, usageRecords(40))
  }
  const position = await readPosition(bench.db, writer.writer)
  assert(position !== undefined && position.segment > 1)
  // Segments before it have been deleted.
  const segments = (await namesIn(writer.dir)).filter((name) => name.endsWith('.seg')).map((name) => Number.parseInt(name, 10))
  assert(Math.min(...segments) >= position.segment - 1, `${segments.join()} and ${position.segment}`)
})
