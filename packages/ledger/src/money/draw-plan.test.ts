import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareBlocks, planDraws } from './draw-plan.ts'
import type { DrawableBlock, HourlySpend } from './draw-plan.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 2, 1)
const at = (hour: number): number => START + hour * HOUR

function block(id: string, remaining: bigint, fields: Partial<DrawableBlock> = {}): DrawableBlock {
  return { id, remaining, effectiveFrom: START, expiresAt: undefined, priority: 100, createdAt: START, ...fields }
}
const spent = (...amounts: readonly bigint[]): readonly HourlySpend[] => amounts.map((amount, hour) => ({ at: at(hour), amount }))

test('planDraws() takes the soonest expiry first, then the lowest priority, then the oldest', () => {
  const blocks = [
    block('never', 10n),
    block('late', 10n, { expiresAt: at(90) }),
    block('soon-young', 10n, { expiresAt: at(50), createdAt: START + 1 }),
    block('soon-first', 10n, { expiresAt: at(50), priority: 1, createdAt: START + 2 }),
    block('soon-old', 10n, { expiresAt: at(50) }),
  ]
  assert.deepEqual(
    planDraws(blocks, spent(45n)).map(({ blockId, amount }) => [blockId, amount]),
    [
      ['soon-first', 10n],
      ['soon-old', 10n],
      ['soon-young', 10n],
      ['late', 10n],
      ['never', 5n],
    ],
  )
})

test('planDraws() lets a block pay only for the hours in which it was in force', () => {
  const trial = block('trial', 100n, { expiresAt: at(2) })
  const later = block('later', 100n, { effectiveFrom: at(3) })
  assert.deepEqual(planDraws([trial, later], spent(7n, 8n, 9n, 10n)), [
    { blockId: 'trial', amount: 15n },
    { blockId: 'later', amount: 10n },
  ])
})

test('planDraws() counts an hour whole for a block that begins within it', () => {
  assert.deepEqual(planDraws([block('a', 5n, { effectiveFrom: at(1) + 30 * 60_000 })], spent(1n, 2n)), [{ blockId: 'a', amount: 2n }])
})

test('planDraws() lowers the latest hours by what is below zero, and draws nothing when all of it is', () => {
  assert.deepEqual(planDraws([block('a', 100n)], spent(10n, 10n, -5n)), [{ blockId: 'a', amount: 15n }])
  assert.deepEqual(planDraws([block('a', 100n, { expiresAt: at(1) })], spent(10n, 10n, -15n)), [{ blockId: 'a', amount: 5n }])
  assert.deepEqual(planDraws([block('a', 100n)], spent(10n, -15n)), [])
})

const anyBlock = fc
  .record({
    remaining: fc.bigInt({ min: 1n, max: 50n }),
    from: fc.nat({ max: 12 }),
    length: fc.option(fc.integer({ min: 1, max: 12 })),
    priority: fc.nat({ max: 2 }),
    createdAt: fc.nat({ max: 2 }),
  })
  .map(({ remaining, from, length, priority, createdAt }) => ({
    remaining,
    effectiveFrom: at(from),
    expiresAt: length === null ? undefined : at(from + length),
    priority,
    createdAt,
  }))
const anyBlocks = fc
  .array(anyBlock, { maxLength: 6 })
  .map((blocks) => blocks.map((each, index): DrawableBlock => ({ id: `b${index}`, ...each })))
const anySpent = fc.array(fc.bigInt({ min: -20n, max: 40n }), { maxLength: 14 }).map((amounts) => spent(...amounts))

test('planDraws() draws no more than is left of a block, than was spent in its time, and than was spent at all', () => {
  fc.assert(
    fc.property(anyBlocks, anySpent, (blocks, hours) => {
      const draws = planDraws(blocks, hours)
      const total = hours.reduce((sum, { amount }) => sum + amount, 0n)
      const drawn = draws.reduce((sum, { amount }) => sum + amount, 0n)
      assert.ok(drawn <= (total > 0n ? total : 0n))
      for (const { blockId, amount } of draws) {
        const own = blocks.find(({ id }) => id === blockId)
        assert.ok(own !== undefined && amount > 0n && amount <= own.remaining)
        const inTime = hours.filter((hour) => hour.at >= own.effectiveFrom && hour.at < (own.expiresAt ?? Infinity))
        assert.ok(amount <= inTime.reduce((sum, hour) => (hour.amount > 0n ? sum + hour.amount : sum), 0n))
      }
    }),
  )
})

test('planDraws() does not depend on the order in which blocks and hours are given', () => {
  fc.assert(
    fc.property(anyBlocks, anySpent, (blocks, hours) => {
      assert.deepEqual(planDraws(blocks.toReversed(), hours.toReversed()), planDraws(blocks, hours))
    }),
  )
})

test('compareBlocks() is a total order', () => {
  fc.assert(
    fc.property(anyBlocks, (blocks) => {
      for (const a of blocks)
        for (const b of blocks) if (a !== b) assert.equal(Math.sign(compareBlocks(a, b)), 0 - Math.sign(compareBlocks(b, a)))
    }),
  )
})
