import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addDays } from '../format/dates.ts'
import { levelOf, nextDimension, parseSteps, printSteps } from './drill.ts'
import { DIMENSIONS } from './state.ts'
import type { Filters, OverviewState, Step } from './state.ts'
import { overviewSearch, parseOverview } from './url-state.ts'

const TODAY = '2026-11-22'
/** Names that would break an address that is not escaped. */
const key = fc.oneof(
  fc.constantFrom('', '~', 'a,b', 'a/b', 'a:b', '%', '*', 'meta-llama/Llama-3.3-70B', 'région', '0', 'true', '\u0000'),
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\ud800-\udfff]/g, '')),
)
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 5 })

const steps = fc
  .tuple(
    fc.uniqueArray(fc.record({ at: fc.constantFrom(...DIMENSIONS), key }, { noNullPrototype: true }), {
      selector: ({ at }) => at,
      maxLength: 4,
    }),
    fc.boolean(),
  )
  .map(([list, hasRecord]): readonly Step[] => (hasRecord ? [...list, { at: 'record', key: '0192-a' }] : list))

const state: fc.Arbitrary<OverviewState> = fc
  .record({
    start: fc.integer({ min: 0, max: 2000 }),
    length: fc.integer({ min: 0, max: 366 }),
    by: fc.constantFrom(...DIMENSIONS),
    filters: fc.uniqueArray(fc.tuple(fc.constantFrom(...DIMENSIONS), keys), { selector: ([name]) => name, maxLength: 4 }).map((list) => {
      const found = Object.fromEntries(list)
      return Object.fromEntries(DIMENSIONS.flatMap((name) => (found[name] === undefined ? [] : [[name, found[name]]]))) as Filters
    }),
    metric: fc.constantFrom('cost' as const, 'tokens' as const, 'hours' as const),
    view: fc.constantFrom('daily' as const, 'cumulative' as const),
    compare: fc.constantFrom('previous' as const, 'year' as const, 'none' as const),
    sort: fc.record(
      {
        column: fc.constantFrom('name' as const, 'quantity' as const, 'change' as const, 'amount' as const),
        direction: fc.constantFrom('ascending' as const, 'descending' as const),
      },
      { noNullPrototype: true },
    ),
    hidden: fc.oneof(fc.constant([]), keys),
    currency: fc.constantFrom(undefined, 'USD', 'EUR'),
    records: fc.record(
      {
        state: fc.uniqueArray(fc.constantFrom('charged' as const, 'unpriced' as const, 'unknown' as const)),
        provenance: fc.uniqueArray(fc.constantFrom('estimated' as const, 'unknown' as const)),
      },
      { noNullPrototype: true },
    ),
    hasDay: fc.boolean(),
    open: steps,
  })
  .map(({ start, length, hasDay, ...rest }) => {
    const from = addDays('2021-01-01', start)
    const to = addDays(from, length)
    return { ...rest, from, to, day: hasDay ? to : undefined }
  })

test('parseOverview() of overviewSearch() is the same state, whatever names hold', () => {
  fc.assert(
    fc.property(state, (given) => {
      // Through a real query string, as a pasted link goes.
      const search = Object.fromEntries(new URLSearchParams(new URLSearchParams(overviewSearch(given)).toString()))
      const { state: back, dropped } = parseOverview(search, { today: TODAY })
      assert.deepEqual(back, given)
      assert.deepEqual(dropped, [])
    }),
  )
})

test('parseOverview() without anything is this month until today, by model, in absolute days', () => {
  const { state: found } = parseOverview({}, { today: TODAY })
  assert.deepEqual([found.from, found.to, found.by, found.metric, found.compare], ['2026-11-01', TODAY, 'model', 'cost', 'previous'])
  assert.deepEqual(overviewSearch(found), { from: '2026-11-01', to: TODAY })
})

test('parseOverview() drops what is no good, says so, and never throws', () => {
  const bad = {
    from: '2026-11-22',
    to: '2026-11-01',
    by: 'colour',
    f: 'model:a,nonsense',
    metric: 7,
    view: 'x',
    cmp: 'x',
    sort: 'x',
    cur: 'dollars',
    day: '2025-01-01',
    open: 'model',
    rec: 'state:lost',
  }
  const { state: found, dropped } = parseOverview(bad, { today: TODAY })
  assert.deepEqual(found, parseOverview({}, { today: TODAY }).state)
  assert.deepEqual(
    dropped.map(({ name }) => name),
    ['from', 'by', 'f', 'metric', 'view', 'cmp', 'sort', 'cur', 'day', 'open', 'rec'],
  )
  assert.equal(dropped[0]?.because, 'backwards')
  assert.equal(parseOverview({ from: '2024-01-01', to: '2026-01-01' }, { today: TODAY }).dropped[0]?.because, 'too_long')
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(bad), 'hide'), fc.anything()), (search) => {
      const parsed = parseOverview(search, { today: TODAY })
      assert.ok(parsed.state.from <= parsed.state.to)
    }),
  )
})

test('parseSteps() of printSteps() is the same way, and refuses what is none', () => {
  fc.assert(fc.property(steps, (given) => assert.deepEqual(parseSteps(printSteps(given)), given)))
  for (const text of ['model', 'colour:x', 'model:a/model:b', 'record:x/model:a', 'record:', 'model:%', 'a/'.repeat(20)]) {
    assert.equal(parseSteps(text), undefined, text)
  }
})

test('levelOf() goes from the grouping to model, API key, records and one record', () => {
  assert.equal(nextDimension('model', []), 'model')
  assert.equal(nextDimension('region', [{ at: 'region', key: 'x' }]), 'model')
  const model: Step = { at: 'model', key: 'llama' }
  assert.deepEqual(levelOf('model', [model]), { kind: 'groups', by: 'apiKey' })
  assert.deepEqual(levelOf('model', [model, { at: 'apiKey', key: 'k' }]), { kind: 'records' })
  assert.deepEqual(levelOf('model', [{ at: 'records', key: '' }]), { kind: 'records' })
  assert.deepEqual(levelOf('model', [model, { at: 'record', key: 'r' }]), { kind: 'record', id: 'r' })
})
