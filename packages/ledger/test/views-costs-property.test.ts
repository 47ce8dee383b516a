import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { applyPriceBook, closeMonth, createOrganization, mapAuthId, readStatement } from '../src/index.ts'
import { DIMENSIONS, dayText, readCosts, readUsage } from '../src/views.ts'
import type { CostRow, Dimension, Grain } from '../src/views.ts'
import { nano } from './money-support.ts'
import { HOUR, deliver, openLedger, priceBook, rateAll, usageRecord, assertSound } from './support.ts'

/*
 * Whatever is charged, corrected, priced by the month or agreed on, and whichever way it is grouped, cut into pages, by day or by hour, from
 * days that are summed or not: the sum over all groups is the statement's total, to the nano.
 */

const MONTHS = ['2026-01', '2026-02', '2026-03'] as const
const NOW = Date.UTC(2026, 2, 20, 15)
const GRAINS: readonly Grain[] = ['hour', 'day', 'month', 'total']

const BOOK = `version: 1
base_models:
  small:
    prompt: "0.0000013"
    cached: "0"
    completion: { mode: volume, tiers: [{ up_to: 40, price: "0.7" }, { price: "0.00000000031" }] }
    meters: { images: { mode: graduated, included: 10, tiers: [{ up_to: 50, price: "0.0300000001" }, { price: "0.01" }] } }
minimums: [{ amount: "1.5" }]
`

const record = fc
  .record({
    month: fc.integer({ min: 0, max: 2 }),
    day: fc.constantFrom(1, 15, 20),
    hour: fc.constantFrom(0, 13, 23),
    authId: fc.constantFrom('a', 'b', 'c'),
    resourceId: fc.constantFrom('chat', 'batch'),
    images: fc.integer({ min: 0, max: 70 }),
    tokens: fc.integer({ min: 0, max: 3000 }),
  })
  .map(({ month, day, hour, authId, resourceId, images, tokens }) =>
    usageRecord({
      startedAt: Math.min(Date.UTC(2026, month, day, hour), NOW - HOUR),
      authId,
      resourceId,
      model: 'small',
      meters: { ...(images > 0 && { images }), ...(tokens > 0 && { input_tokens: tokens, output_tokens: tokens % 17 }) },
    }),
  )

const plan = fc.record({
  first: fc.array(record, { maxLength: 8 }),
  closed: fc.integer({ min: 0, max: 2 }),
  late: fc.array(record, { maxLength: 5 }),
  remap: fc.boolean(),
  by: fc.subarray([...DIMENSIONS]),
  grain: fc.constantFrom(...GRAINS),
  limit: fc.constantFrom(1, 3, 1000),
})

async function play(
  db: Database,
  { first, closed, late, remap }: { first: UsageRecord[]; closed: number; late: UsageRecord[]; remap: boolean },
) {
  const parent = await createOrganization(db, { name: 'Parent' })
  const child = await createOrganization(db, { name: 'Child', parentId: parent.id })
  for (const authId of ['a', 'b']) await mapAuthId(db, { authId, organizationId: parent.id })
  await mapAuthId(db, { authId: 'c', organizationId: child.id })
  await applyPriceBook(db, priceBook({ text: BOOK }))
  await deliver(db, first)
  await rateAll(db)
  for (const month of MONTHS.slice(0, closed)) assert.equal((await closeMonth(db, { month, closedBy: 'test', force: true })).kind, 'closed')
  if (remap) await mapAuthId(db, { authId: 'b', organizationId: child.id, from: Date.UTC(2026, 0, 10), correct: true })
  await deliver(db, late)
  await rateAll(db)
  return [parent.id, child.id] as const
}

type Asked = { readonly by: readonly Dimension[]; readonly grain: Grain; readonly limit: number; readonly month: string }

/** All pages, and the total that each of them says. */
async function pagesOf(db: Database, organizationIds: readonly string[], { by, grain, limit, month }: Asked) {
  const { start = 0, end = 0 } = monthOf(month) ?? {}
  const rows: CostRow[] = []
  const query = { organizationIds, window: { from: dayText(start), to: dayText(end - 1) }, grain, by, filter: {}, now: NOW, limit }
  for (let page = await readCosts(db, query); ; page = await readCosts(db, { ...query, after: page.next })) {
    rows.push(...page.rows)
    if (page.next === undefined) return { rows, total: page.totals[0]?.amount ?? 0n }
    assert.equal(page.rows.length, limit)
  }
}

async function statementTotal(db: Database, organizationIds: readonly string[], month: string): Promise<bigint> {
  let total = 0n
  for (const organizationId of organizationIds) {
    total += nano((await readStatement(db, { organizationId, month, scope: 'operator' }))?.total ?? '')
  }
  return total
}

test('readCosts() of a month sums to its statements to the nano, however it is grouped, cut into pages, and whether days are summed', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ by, grain, limit, ...story }) => {
      await using db = await openLedger()
      const both = await play(db, story)
      for (const [ids, month] of [both, both.slice(0, 1), both.slice(1)].flatMap((each) => MONTHS.map((month) => [each, month] as const))) {
        const expected = await statementTotal(db, ids, month)
        const found = await pagesOf(db, ids, { by, grain, limit, month })
        assert.equal(
          found.rows.reduce((sum, { amount }) => sum + amount, 0n),
          expected,
        )
        assert.equal(found.total, expected)
        const keys = found.rows.map((row) => JSON.stringify([row.start, row.currency, row.keys]))
        assert.equal(new Set(keys).size, keys.length)
      }
      await assertSound(db)
      await db.query('delete from charge_day_built; delete from charge_day')
      for (const month of MONTHS)
        assert.equal((await pagesOf(db, both, { by, grain, limit, month })).total, await statementTotal(db, both, month))
    }),
    { numRuns: 8 },
  )
})

test('readUsage() counts every record once, and quantities as they are known now, however they are grouped and from days summed or not', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ grain, by, ...story }) => {
      await using db = await openLedger()
      const both = await play(db, story)
      const records = [...story.first, ...story.late]
      const dimensions = by.filter((dimension) => dimension !== 'meter' && dimension !== 'category' && dimension !== 'price')
      const query = {
        organizationIds: both,
        window: { from: '2026-01-01', to: '2026-03-31' },
        by: dimensions,
        filter: {},
        grain,
        limit: 1000,
      }
      const check = async (): Promise<void> => {
        const { rows } = await readUsage(db, query)
        assert.equal(
          rows.reduce((sum, row) => sum + row.records, 0n),
          BigInt(records.length),
        )
        for (const meter of ['images', 'input_tokens', 'output_tokens']) {
          const used = records.reduce((sum, record) => sum + (record.meters[meter] ?? 0), 0)
          assert.equal(
            rows.reduce((sum, row) => sum + (row.meters[meter] ?? 0n), 0n),
            BigInt(used),
            meter,
          )
        }
      }
      await check()
      await db.query('delete from charge_day_built; delete from charge_day')
      await check()
    }),
    { numRuns: 8 },
  )
})
