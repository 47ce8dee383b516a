import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spokenDay } from './spoken.ts'
import type { ChartModel } from './types.ts'

const segment = (key: string | undefined, value: bigint) => ({ key, value, start: 0n, end: value })
const column = (day: string, ...segments: readonly ReturnType<typeof segment>[]) => ({
  day,
  total: segments.reduce((sum, { value }) => sum + value, 0n),
  segments,
  top: 0n,
  bottom: 0n,
})
const money = (value: bigint): string => `$${value}`

const MODEL: ChartModel = {
  view: 'daily',
  columns: [
    column('2026-11-12'),
    column('2026-11-13', segment('a', 4n)),
    column('2026-11-14', segment('a', 3n), segment('b', 4n), segment(undefined, 1n)),
    column('2026-11-15', segment('a', 2n), segment('b', -1n)),
    column('2026-11-16'),
  ],
  states: ['full', 'full', 'full', 'partial', 'waiting'],
  format: { title: 'Cost', unit: 'USD', figure: money, cell: money, full: money, tick: money, exact: money, one: 1n },
  cumulative: [0n, 4n, 12n, 13n, 13n],
  ghost: undefined,
  forecast: [{ day: '2026-11-17', expected: 5n, low: 3n, high: 8n }] as unknown as ChartModel['forecast'],
  budget: undefined,
  partialUntil: '14:05 UTC',
  labelOf: (key) => key ?? 'Other (2 models)',
  lookOf: () => ({ slot: 1, texture: 'solid' }),
  singular: 'model',
  plural: 'models',
}
const day = (index: number, segment?: number, view: ChartModel['view'] = 'daily') => spokenDay({ ...MODEL, view }, { index, segment })

test('spokenDay() says day, amount and how many, one and none too, and that there are others', () => {
  assert.equal(day(0), '12 Nov, $0')
  assert.equal(day(1), '13 Nov, $4, 1 model')
  assert.equal(day(2), '14 Nov, $8, 2 models and others')
  assert.equal(day(2, undefined, 'cumulative'), '14 Nov, $12 until then, $8, 2 models and others')
})

test('spokenDay() says a part with its share, and what is not there yet in words', () => {
  assert.equal(day(2, 0), 'a, $3, 37.5\u00a0%')
  assert.equal(day(2, 2), 'Other (2 models), $1, 12.5\u00a0%')
  assert.equal(day(3), '15 Nov, $1, 2 models, partial until 14:05 UTC')
  assert.equal(day(4), '16 Nov, no data received')
  assert.equal(day(5), '17 Nov, forecast $5, between $3 and $8')
})
