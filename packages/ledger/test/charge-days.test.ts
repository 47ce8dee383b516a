import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { applyPriceBook, markRatedHours, readStatement, verifyRating, voidRecords } from '../src/index.ts'
import { sumChargeDays } from '../src/charge-days.ts'
import { ACTOR } from './acts-support.ts'
import { HOUR, MONTH, TEN, createCustomer, deliver, holdLock, openLedger, priceBook, rateAll, until, usageRecord } from './support.ts'

const DAY = 24 * HOUR

async function daysOf(db: Database): Promise<readonly string[]> {
  return (await db.query<{ day: string }>('select day::text from charge_day_built order by day')).rows.map(({ day }) => day)
}

/** The statement by days that are summed, and by hours alone. */
async function bothWays(db: Database, organizationId: string): Promise<readonly [unknown, unknown]> {
  const read = (): Promise<unknown> => readStatement(db, { organizationId, month: MONTH, scope: 'operator' })
  const byDay = await read()
  await db.query('delete from charge_day_built')
  await db.query('delete from charge_day')
  return [byDay, await read()]
}

test('rateDirtyHours() sums days that are over, and statements are the same by days as by hours', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const at = [TEN, TEN + HOUR, TEN + 13 * HOUR, TEN + 14 * HOUR, TEN + 3 * DAY]
  await deliver(
    db,
    at.map((startedAt, index) => usageRecord({ startedAt, model: index % 2 === 0 ? 'small' : 'large' })),
  )
  await rateAll(db)
  assert.deepEqual(await daysOf(db), ['2026-03-01', '2026-03-02', '2026-03-04'])
  assert.deepEqual((await verifyRating(db)).differences, [])
  const [byDay, byHour] = await bothWays(db, id)
  assert.deepEqual(byDay, byHour)
})

test('a day whose charges change is forgotten with them, and summed again', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const records = [usageRecord(), usageRecord({ startedAt: TEN + HOUR }), usageRecord({ startedAt: TEN + DAY })]
  await deliver(db, records)
  await rateAll(db)
  await voidRecords(db, { ...ACTOR, eventIds: [records[0]?.eventId ?? ''] })
  await rateAll(db)
  assert.deepEqual(await daysOf(db), ['2026-03-01', '2026-03-02'])
  assert.equal((await readStatement(db, { organizationId: id, month: MONTH, scope: 'operator' }))?.total, '0.00024')
  // A day that loses its last charge has sums of nothing.
  await voidRecords(db, { ...ACTOR, eventIds: records.slice(1).map(({ eventId }) => eventId) })
  await rateAll(db)
  assert.equal((await readStatement(db, { organizationId: id, month: MONTH, scope: 'operator' }))?.total, '0')
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('sumChargeDays() leaves a day alone while an hour of it waits to be rated, and takes no part in a day that somebody rates', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  await markRatedHours(db)
  await db.query("insert into charge_day_mark (day) values ('2026-03-01')")
  await db.query('delete from charge_day_built')
  await sumChargeDays(db)
  assert.deepEqual(await daysOf(db), [])
  await db.query('delete from dirty_hour')
  // As a rater of one of its hours holds it.
  const rater = await holdLock(db, `select pg_advisory_xact_lock_shared(${0x61736364}, ${Math.floor(TEN / DAY)})`)
  await sumChargeDays(db)
  assert.deepEqual(await daysOf(db), [])
  await rater.release()
  await sumChargeDays(db)
  assert.deepEqual(await daysOf(db), ['2026-03-01'])
})

test('whoever rates an hour waits for who sums its day, and forgets what that one has made', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  const summing = await holdLock(db, `select pg_advisory_xact_lock(${0x61736364}, ${Math.floor(TEN / DAY)})`)
  await deliver(db, [usageRecord()])
  const rating = rateAll(db)
  await until(
    db,
    "select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())",
  )
  await summing.release()
  await rating
  assert.equal((await readStatement(db, { organizationId: id, month: MONTH, scope: 'operator' }))?.total, '0.00024')
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('verifyRating() finds a day whose sums are wrong', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  await db.query('update charge_day set quantity = quantity + 1')
  const { differences } = await verifyRating(db)
  assert.deepEqual(
    differences.map(({ hour, table }) => [hour, table]),
    [[Date.UTC(2026, 2, 1), 'charge_day']],
  )
})
