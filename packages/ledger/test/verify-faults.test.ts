import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { applyPriceBook, verifyRating, voidRecords } from '../src/index.ts'
import { APRIL, MARCH, close, lines } from './periods-support.ts'
import { BOOK, HOUR, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord, assertSound, MONTH, TEN } from './support.ts'

const TIERED = BOOK.replace(
  'completion: "0.000002" }\n  large',
  'completion: { mode: graduated, tiers: [{ up_to: 5, price: "0.1" }, { price: "0.01" }] } }\n  large',
)

/** March is closed, with a late record, one that came late and was voided, and a minimum; April is open. */
async function plantable(db: Database): Promise<string> {
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: `${TIERED}minimums: [{ amount: "5" }]\n` }))
  const meters = { input_tokens: 1_000_000, output_tokens: 10 }
  await deliver(db, [usageRecord({ startedAt: MARCH, meters }), usageRecord({ startedAt: APRIL, meters })])
  await close(db, '2026-03')
  const late = [1, 5].map((hours) => usageRecord({ startedAt: MARCH + hours * HOUR, meters }))
  await deliver(db, late)
  await rateAll(db)
  await voidRecords(db, { eventIds: late.slice(1).map(({ eventId }) => eventId), actor: 'test', reason: 'twice' })
  await rateAll(db)
  await assertSound(db)
  return id
}

// Each fault alone, by somebody who can get past the triggers.
const FAULTS = [
  ['a frozen charge that is dearer', `update charge set amount_nano = amount_nano + 1 where hour < '2026-04-01Z'`],
  ['a charge of an open month that is gone', `delete from charge where hour >= '2026-04-01Z'`],
  ['a charge at another rate', `update charge set rate = rate * 2 where hour < '2026-04-01Z'`],
  ['a charge that covers other records', `update charge set records_digest = ~records_digest where hour < '2026-04-01Z'`],
  ['an adjustment that is gone', `delete from adjustment where hour = '2026-03-10 11:00Z'`],
  // The hour has neither usage nor a charge: only adjustments that cancel out tell of it.
  ['an adjustment back that is gone', `delete from adjustment where hour = '2026-03-10 15:00Z' and amount_nano < 0`],
  ['an adjustment of a line that is dearer', `update adjustment set amount_nano = amount_nano + 1 where hour is null and kind = 'minimum'`],
  [
    'an adjustment that nobody will see',
    `update adjustment set booked_month = '2026-04-01';
     insert into billing_period (month, closed_by, closed_at) values ('2026-04-01', 'test', '2026-05-01Z')`,
  ],
  ['a quantity of the month', `update period_quantity set quantity = quantity + 1 where hour < '2026-04-01Z'`],
  ['a line of the month', `update statement_line set amount_nano = amount_nano + 1 where kind = 'tier' and position = 1`],
  ['a line of the month that is gone', `delete from statement_line where kind = 'minimum'`],
  ['usage that is said to be free', `update usage_hour set state = 'free', price_sequence = null where hour >= '2026-04-01Z'`],
] as const

test('verifyRating() finds every fault that is planted past the triggers, one at a time', async () => {
  await using db = await openLedger({ fresh: true })
  await plantable(db)
  for (const [what, sql] of FAULTS) {
    await assert.rejects(
      db.transaction(async (tx) => {
        await tx.query('set local session_replication_role = replica')
        for (const statement of sql.split(';')) await tx.query(statement)
        // Seen from within, and never committed.
        const { differenceCount } = await verifyRating({ ...db, transaction: (work) => work(tx) })
        throw new Error(`${differenceCount} differences`)
      }),
      /^Error: [1-9]\d* differences$/,
      what,
    )
  }
  await assertSound(db)
})

test('verifyRating() looks at lines of months before the first that was closed, where late records made some', async () => {
  await using db = await openLedger({ fresh: true })
  const { id } = await createCustomer(db)
  const idle = await createCustomer(db, { name: 'Idle', authId: 'idle' })
  const text = `${BOOK}minimums: [{ amount: "5" }, { organization: ${idle.id}, amount: "7" }]\n`
  await applyPriceBook(db, priceBook({ text }))
  await deliver(db, [usageRecord({ startedAt: APRIL, meters: { input_tokens: 1_000_000 } })])
  await close(db, '2026-04')
  await deliver(db, [usageRecord({ startedAt: MARCH, meters: { input_tokens: 1_000_000 } })])
  await rateAll(db)
  assert.equal((await lines(db, id, '2026-05')).length, 2)
  // Before the first closed month nobody is billed a minimum who used nothing then.
  assert.deepEqual(await lines(db, idle.id, '2026-05'), ['minimum 1 × 7 = 7 to the minimum of 7 a month'])
  await assertSound(db)
  await db.query(`alter table adjustment disable trigger user; delete from adjustment where kind = 'minimum'`)
  assert.equal((await verifyRating(db, { month: '2026-03' })).differenceCount, 1)
})

test('verifyRating() names what is missing, altered, doubled or without records', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(
    db,
    [0, 1, 2, 3, 4].map((hours) => usageRecord({ startedAt: TEN + hours * HOUR })),
  )
  await rateAll(db)
  const at = (hours: number): string => new Date(TEN + hours * HOUR).toISOString()
  await db.query('delete from charge where hour = $1::timestamptz and meter = $2', [at(0), 'input_tokens'])
  await db.query('update charge set amount_nano = amount_nano + 1 where hour = $1::timestamptz and meter = $2', [at(1), 'output_tokens'])
  await db.query('insert into usage_hour select * from usage_hour where hour = $1::timestamptz', [at(2)])
  await db.query('insert into dirty_hour (hour) values ($1::timestamptz)', [at(3)])
  await db.query('update charge set hour = $2::timestamptz where hour = $1::timestamptz', [at(4), at(9)])
  const { differences, pendingHours, records, hours } = await verifyRating(db, { month: MONTH })
  assert.deepEqual(
    differences.map((found) => [(found.hour - TEN) / HOUR, found.table, found.kind]),
    [
      [0, 'charge', 'missing'],
      [1, 'charge', 'missing'],
      [1, 'charge', 'unexpected'],
      [2, 'usage_hour', 'unexpected'],
      [4, 'charge', 'missing'],
      [4, 'charge', 'missing'],
      [9, 'charge', 'unexpected'],
      [9, 'charge', 'unexpected'],
      // The sums of the day, which are not those of its hours any more.
      [-10, 'charge_day', 'unexpected'],
      [-10, 'cost_day', 'unexpected'],
      [-10, 'usage_day', 'unexpected'],
    ],
  )
  assert.deepEqual({ pendingHours, records, hours }, { pendingHours: 1, records: 5, hours: 5 })
  assert.deepEqual((await verifyRating(db, { month: '2026-04' })).differences, [])
})
