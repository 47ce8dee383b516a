import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { applyPriceBook, createOrganization, mapAuthId, voidRecords } from '../src/index.ts'
import { readCosts, readFreshness, readRecords, readUsage } from '../src/views.ts'
import type { RecordPlace, RecordQuery, RowFilter } from '../src/views.ts'
import { ACTOR } from './acts-support.ts'
import { HOUR, TEN, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const MINUTE = 60_000
const PERIOD = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1) }
/** Planned with these very values first; then PostgreSQL decides whether one plan will do. */
const PLANS_BEFORE = 5

/** Pages until there are no more, and how many there were. */
async function allPages(db: Database, query: RecordQuery): Promise<{ readonly ids: readonly string[]; readonly pages: number }> {
  const ids: string[] = []
  let after: RecordPlace | undefined
  for (let pages = 1; ; pages += 1) {
    const { records, next } = await readRecords(db, { ...query, ...(after !== undefined && { after }) })
    assert.ok(records.length <= query.limit)
    ids.push(...records.map(({ record }) => record.eventId))
    if (next === undefined) return { ids, pages }
    after = next
  }
}

test('readRecords() gives each record once, newest first, on pages of any size: from hours that are rated, counted wrongly or not at all', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  const other = await createOrganization(db, { name: 'Other' })
  await mapAuthId(db, { authId: 'auth-2', organizationId: other.id })
  await applyPriceBook(db, priceBook())
  // At the end of an hour, at its start, at one instant, across neighbouring hours, far from all others.
  const places = [
    ...[0, 1, 2, 3].map((index) => TEN + HOUR - 1 - index),
    ...[0, 0, 0, 1, 2].map((minute) => TEN + 5 * HOUR + minute),
    ...Array.from({ length: 30 }, (_, index) => TEN + 6 * HOUR + index * MINUTE * 7),
    TEN + 300 * HOUR,
    PERIOD.end - 1,
  ]
  const records = places.map((startedAt, index) => usageRecord({ startedAt, model: index % 3 === 0 ? 'large' : 'small' }))
  const others = places.map((startedAt) => usageRecord({ startedAt, authId: 'auth-2' }))
  await deliver(db, [...records, ...others])
  await rateAll(db)
  const gone = records.filter((_, index) => index % 10 === 9)
  await voidRecords(db, { ...ACTOR, eventIds: gone.map(({ eventId }) => eventId) })
  const late = [TEN + 2 * HOUR, TEN + 5 * HOUR + 3, TEN + 6 * HOUR + 1].map((startedAt) => usageRecord({ startedAt }))
  await deliver(db, late)
  const expected = [...records, ...late]
    .filter((record) => !gone.includes(record))
    .toSorted((a, b) => b.startedAt - a.startedAt || (a.eventId < b.eventId ? 1 : -1))
  for (const limit of [1, 2, 3, 7, 30, 100]) {
    const { ids } = await allPages(db, { organizationId, period: PERIOD, limit })
    assert.deepEqual(
      ids,
      expected.map(({ eventId }) => eventId),
      `pages of ${limit}`,
    )
  }
  const large = expected.filter(({ model }) => model === 'large')
  assert.deepEqual(
    (await allPages(db, { organizationId, period: PERIOD, limit: 4, filter: { models: ['large'] } })).ids,
    large.map(({ eventId }) => eventId),
  )
  const part = { start: TEN + 6 * HOUR, end: TEN + 7 * HOUR }
  assert.deepEqual(
    (await allPages(db, { organizationId, period: part, limit: 2 })).ids,
    expected.filter(({ startedAt }) => startedAt >= part.start && startedAt < part.end).map(({ eventId }) => eventId),
  )
})

test('readRecords() finds those without a user or a group by an empty one', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await mapAuthId(db, { authId: 'auth-1', organizationId, userId: 'ada', groupId: 'core', from: TEN + HOUR })
  await applyPriceBook(db, priceBook())
  const [before, after] = [usageRecord(), usageRecord({ startedAt: TEN + 2 * HOUR })]
  await deliver(db, [before, after])
  await rateAll(db)
  const idsOf = async (filter: RowFilter): Promise<readonly string[]> =>
    (await allPages(db, { organizationId, period: PERIOD, limit: 10, filter })).ids
  assert.deepEqual(await idsOf({ userIds: [''] }), [before.eventId])
  assert.deepEqual(await idsOf({ groupIds: [''] }), [before.eventId])
  assert.deepEqual(await idsOf({ userIds: ['ada', 'bob'], groupIds: ['core'] }), [after.eventId])
})

test('readRecords() reads a page of hours that lie apart with one statement', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(
    db,
    Array.from({ length: 40 }, (_, index) => usageRecord({ startedAt: TEN + index * 3 * HOUR })),
  )
  await rateAll(db)
  const asked: string[] = []
  const counting: Database = {
    ...db,
    query: (text, values) => {
      asked.push(text)
      return db.query(text, values)
    },
  }
  const { records } = await readRecords(counting, { organizationId, period: PERIOD, limit: 25 })
  assert.equal(records.length, 25)
  assert.equal(asked.filter((text) => text.includes('from usage_record')).length, 1)
})

test('readCosts(), readUsage(), readFreshness() and readRecords() are planned once, not for each question anew', async () => {
  await using db = await openLedger({ fresh: true })
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(
    db,
    Array.from({ length: 60 }, (_, index) => usageRecord({ startedAt: TEN + index * HOUR })),
  )
  await rateAll(db)
  await db.query('analyze')
  await using reader = openDatabase({ ...db.target, max: 1, prepared: 256 })
  const base = { organizationIds: [organizationId], window: { from: '2026-03-01', to: '2026-03-31' }, limit: 100 }
  const filter = { model: ['small'], user: [''] }
  for (let asked = 0; asked < 2 * PLANS_BEFORE; asked += 1) {
    for (const grain of ['hour', 'day', 'total'] as const) {
      await readCosts(reader, { ...base, grain, by: ['model', 'region'], filter, now: PERIOD.end })
      await readUsage(reader, { ...base, grain, by: ['model'], filter })
    }
    await readFreshness(reader, { organizationIds: [organizationId], period: PERIOD, now: PERIOD.end })
    await readRecords(reader, { organizationId, period: PERIOD, limit: 25 })
  }
  const { rows } = await reader.query<{ statement: string; often: string }>(
    'select statement, custom_plans::text as often from pg_prepared_statements order by custom_plans desc',
  )
  assert.ok(rows.length >= 8)
  assert.deepEqual(
    rows.filter(({ often }) => Number(often) > PLANS_BEFORE).map(({ statement }) => statement),
    [],
  )
})
