import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Balance, HealthCheck, Place } from './balance.ts'
import { UpstreamSet, jittered } from './upstream-set.ts'

const CHECK: HealthCheck = { path: '/health', intervalMs: 1000, timeoutMs: 500, passAfter: 2 }
const REST_MS = 10_000

function place(id: string, weight = 1): Place {
  return { id, upstream: { origin: `http://${id}.internal` }, basePath: '/v1', weight }
}

class Bench {
  nowMs = 0
  readonly places: readonly Place[]
  readonly changes: string[] = []
  readonly set: UpstreamSet

  constructor(
    weights: Readonly<Record<string, number>>,
    options: { readonly check?: HealthCheck; readonly allDown?: Balance['allDown'] } = {},
  ) {
    this.places = Object.entries(weights).map(([id, weight]) => place(id, weight))
    const { check, allDown = 'try' } = options
    this.set = this.another({
      places: this.places,
      health: { failAfter: 3, restMs: REST_MS, ...(check !== undefined && { check }) },
      allDown,
      retry: { attemptsMax: 2, on: new Set(), billFailed: false },
    })
  }

  another(balance: Balance): UpstreamSet {
    return new UpstreamSet(balance, {
      now: () => this.nowMs,
      random: () => 0.5,
      onChange: ({ id }, { isUp }) => this.changes.push(`${id} ${isUp ? 'up' : 'down'}`),
    })
  }

  at(id: string): Place {
    return this.places.find((each) => each.id === id) ?? assert.fail(id)
  }

  fail(id: string, times = 1): void {
    for (let i = 0; i < times; i += 1) this.set.report(this.at(id), 'connect')
  }

  picks(count: number): string {
    return Array.from({ length: count }, () => this.set.pick()?.id ?? '-').join('')
  }
}

test('pick() gives each upstream its share, spread over time', () => {
  assert.equal(new Bench({ a: 3, b: 1 }).picks(8), 'aabaaaba')
  assert.equal(new Bench({ a: 1, b: 1, c: 1 }).picks(6), 'abcabc')
})

test('pick() gives every upstream exactly its share of a round, whatever the weights', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const bench = new Bench(Object.fromEntries(weights.map((weight, i) => [`u${i}`, weight])))
      const total = weights.reduce((sum, each) => sum + each, 0)
      const counts = new Map<string, number>()
      for (let i = 0; i < total * 3; i += 1) {
        const id = bench.set.pick()?.id ?? ''
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      weights.forEach((weight, i) => assert.equal(counts.get(`u${i}`), weight * 3))
    }),
  )
})

test('pick() never gives an upstream that was tried', () => {
  const bench = new Bench({ a: 1, b: 9 })
  assert.equal(bench.set.pick([bench.at('b')])?.id, 'a')
  assert.equal(bench.set.pick([bench.at('a'), bench.at('b')]), undefined)
})

test('an upstream that fails several times in a row gets nothing more until it has rested, and then one request', () => {
  const bench = new Bench({ a: 1, b: 1 })
  bench.fail('a', 2)
  bench.set.report(bench.at('a'), undefined)
  bench.fail('a', 2)
  assert.deepEqual(bench.changes, [])
  bench.fail('a')
  assert.deepEqual(bench.changes, ['a down'])
  assert.equal(bench.picks(6), 'bbbbbb')
  bench.nowMs += REST_MS
  assert.equal(
    bench
      .picks(10)
      .split('')
      .filter((id) => id === 'a').length,
    1,
  )
  bench.fail('a')
  assert.equal(bench.picks(4), 'bbbb')
  bench.nowMs += REST_MS
  bench.picks(2)
  bench.set.report(bench.at('a'), undefined)
  assert.deepEqual(bench.changes, ['a down', 'a up'])
  assert.equal(
    bench
      .picks(10)
      .split('')
      .filter((id) => id === 'a').length,
    5,
  )
})

test('an upstream that is checked comes back by its checks alone', () => {
  const bench = new Bench({ a: 1, b: 1 }, { check: CHECK })
  bench.fail('a', 3)
  bench.nowMs += REST_MS * 10
  assert.equal(bench.picks(4), 'bbbb')
  bench.set.checked(bench.at('a'), undefined)
  bench.set.checked(bench.at('a'), 'status 503')
  bench.set.checked(bench.at('a'), undefined)
  assert.ok(bench.set.isDown(bench.at('a')))
  bench.set.checked(bench.at('a'), undefined)
  assert.deepEqual(bench.changes, ['a down', 'a up'])
})

test('checks take out an upstream that gets no requests', () => {
  const bench = new Bench({ a: 1, b: 1 }, { check: CHECK })
  for (let i = 0; i < 3; i += 1) bench.set.checked(bench.at('b'), 'connect_timeout')
  assert.deepEqual(bench.changes, ['b down'])
  assert.equal(bench.picks(3), 'aaa')
})

test('with all upstreams down requests are tried anyway, or refused, as the route says', () => {
  const tries = new Bench({ a: 1, b: 1 }, { check: CHECK })
  const refuses = new Bench({ a: 1, b: 1 }, { check: CHECK, allDown: 'refuse' })
  for (const bench of [tries, refuses]) for (const id of ['a', 'b']) bench.fail(id, 3)
  assert.equal(tries.set.isServable, true)
  assert.equal(
    tries
      .picks(4)
      .split('')
      .filter((id) => id === 'a').length,
    2,
  )
  assert.equal(refuses.set.isServable, false)
  assert.equal(refuses.picks(2), '--')
})

test('inherit() does not forget who is down when a new table names the same upstreams', () => {
  const bench = new Bench({ a: 1, b: 1 })
  bench.fail('a', 3)
  const after = bench.another({
    ...bench.set.balance,
    places: [place('renamed'), place('b')].map((each, i) => (i === 0 ? { ...place('a'), id: 'z' } : each)),
  })
  after.inherit(bench.set)
  assert.equal(after.pick()?.id, 'b')
  assert.equal(after.pick()?.id, 'b')
})

test('jittered() is off by a fifth at most', () => {
  assert.equal(
    jittered(1000, () => 0),
    800,
  )
  assert.equal(
    jittered(1000, () => 0.5),
    1000,
  )
  assert.ok(jittered(1000, () => 0.999) <= 1200)
})
