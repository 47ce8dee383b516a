import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forecastOf, root } from './forecast.ts'

const DOLLAR = 10n ** 9n
const steady = (count: number): bigint[] => Array.from({ length: count }, () => 10n * DOLLAR)

test('forecastOf() says nothing with fewer than 14 full days, or where nothing was used', () => {
  const input = { monthToDate: 0n, today: 0n, todayDay: '2026-11-22' }
  assert.equal(forecastOf({ ...input, history: steady(13) }), undefined)
  assert.ok(forecastOf({ ...input, history: steady(14) }) !== undefined)
  assert.equal(forecastOf({ ...input, history: steady(30).map(() => 0n) }), undefined)
})

test('forecastOf() adds the rest of today and the days that are left to what is charged', () => {
  const found = forecastOf({ history: steady(28), monthToDate: 214n * DOLLAR, today: 4n * DOLLAR, todayDay: '2026-11-22' })
  // 21 days of 10, today 4 of 10, eight more days.
  assert.equal(found?.total, 300n * DOLLAR)
  assert.deepEqual([found?.low, found?.high], [300n * DOLLAR, 300n * DOLLAR])
  assert.equal(found?.days.length, 9)
  assert.equal(found?.days[0]?.expected, 220n * DOLLAR)
})

test('forecastOf() knows weekends from four weeks on', () => {
  // 2026-11-22 is a Sunday. 28 days before it: Sunday first.
  const history = Array.from({ length: 28 }, (_, index) => (index % 7 === 0 || index % 7 === 6 ? 0n : 10n * DOLLAR))
  const found = forecastOf({ history, monthToDate: 0n, today: 0n, todayDay: '2026-11-22' })
  // Sunday 22nd 0, Monday to Friday 50, weekend 0, Monday 30th 10.
  assert.equal(found?.total, 60n * DOLLAR)
  assert.equal(found?.low, found?.high)
})

test('forecastOf() is never below what is charged, and its band holds it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: -DOLLAR, max: 10n ** 15n }), { minLength: 14, maxLength: 60 }),
      fc.bigInt({ min: 0n, max: 10n ** 16n }),
      fc.integer({ min: 1, max: 30 }),
      (history, monthToDate, date) => {
        const found = forecastOf({ history, monthToDate, today: monthToDate / 10n, todayDay: `2026-11-${String(date).padStart(2, '0')}` })
        if (found === undefined) return
        assert.ok(found.low <= found.total && found.total <= found.high)
        assert.ok(found.low >= monthToDate && found.total >= monthToDate)
        for (const [index, day] of found.days.entries()) assert.ok(index === 0 || day.expected >= (found.days[index - 1]?.expected ?? 0n))
      },
    ),
  )
})

test('forecastOf() has a band that holds about four of five months', () => {
  // A small generator of our own: the same months on every run.
  let seed = 42n
  const next = (): bigint => {
    seed = (seed * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n)
    return seed >> 40n
  }
  // The sum of twelve even ones is near enough to a normal one.
  const day = (): bigint => {
    let sum = 0n
    for (let index = 0; index < 12; index += 1) sum += next()
    return sum * 1000n
  }
  let held = 0
  const runs = 600
  for (let run = 0; run < runs; run += 1) {
    const history = Array.from({ length: 28 }, day)
    const found = forecastOf({ history, monthToDate: 0n, today: 0n, todayDay: '2026-11-16' })
    const end = Array.from({ length: 15 }, day).reduce((sum, each) => sum + each, 0n)
    if (found !== undefined && found.low <= end && end <= found.high) held += 1
  }
  assert.ok(held > runs * 0.74 && held < runs * 0.88, `${held} of ${runs}`)
})

test('root() is the whole part of a square root', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 60n }), (value) => {
      const found = root(value)
      assert.ok(found * found <= value && value < (found + 1n) * (found + 1n))
    }),
  )
})
